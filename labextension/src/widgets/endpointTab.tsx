import * as React from 'react';

import { EndpointView } from '../components/endpointView';
import { Loaded } from '../components/problem';
import { EndpointModel } from '../models/endpointModel';
import type { IContext } from './context';
import { View } from './view';

export class EndpointTab extends View {
  constructor(context: IContext, name: string) {
    super(context);
    this._model = this.follow(new EndpointModel(context.session, name));
    this._model.look(() => this.isVisible);
    void this._model.open();
  }

  override dispose(): void {
    this._model?.dispose();
    super.dispose();
  }

  protected body(): React.ReactElement {
    const model = this._model;
    return (
      <Loaded ready={!!model.endpoint} problem={model.problem} onRetry={() => void model.open()}>
        {() =>
          model.endpoint ? (
            <EndpointView
              endpoint={model.endpoint}
              traffic={model.traffic}
              tokens={model.tokens}
              onPredict={inputs => model.predict(inputs)}
              onRollback={() => model.rollback()}
              onUndeploy={async () => {
                await model.undeploy();
                (this.parent ?? this).dispose();
              }}
              onIssue={request => model.issue(request)}
              onRevoke={id => model.revoke(id)}
            />
          ) : null
        }
      </Loaded>
    );
  }

  private readonly _model: EndpointModel;
}
