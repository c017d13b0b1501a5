import * as React from 'react';

import { ModelView } from '../components/modelView';
import { ModelModel } from '../models/modelModel';
import type { IContext } from './context';
import { TabView } from './tabView';

export class ModelTab extends TabView<ModelModel> {
  constructor(context: IContext, name: string) {
    super(context, new ModelModel(context.session, name));
  }

  protected content(): React.ReactElement | null {
    const { model } = this;
    return model.model ? (
      <ModelView
        model={model.model}
        onPromote={(alias, version) => model.promote(alias, version)}
        onDemote={alias => model.demote(alias)}
        onDeploy={async request => {
          const endpoint = await model.deploy(request);
          this.context.open({ kind: 'endpoint', name: endpoint.name });
        }}
      />
    ) : null;
  }
}
