import * as React from 'react';

import { EndpointView } from '../components/endpointView';
import { EndpointModel } from '../models/endpointModel';
import type { IContext } from './context';
import { TabView } from './tabView';

export class EndpointTab extends TabView<EndpointModel> {
  constructor(context: IContext, name: string) {
    super(context, new EndpointModel(context.session, name));
    this.model.look(() => this.isVisible);
  }

  protected content(): React.ReactElement | null {
    const { model } = this;
    return model.endpoint ? (
      <EndpointView
        endpoint={model.endpoint}
        traffic={model.traffic}
        tokens={model.tokens}
        onPredict={inputs => model.predict(inputs)}
        onRollback={() => model.rollback()}
        onUndeploy={async () => {
          await model.undeploy();
          this.leave();
        }}
        onIssue={request => model.issue(request)}
        onRevoke={id => model.revoke(id)}
      />
    ) : null;
  }
}
