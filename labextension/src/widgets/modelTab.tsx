import * as React from 'react';

import { ModelView } from '../components/modelView';
import { Loaded } from '../components/problem';
import { ModelModel } from '../models/modelModel';
import type { IContext } from './context';
import { View } from './view';

export class ModelTab extends View {
  constructor(context: IContext, name: string) {
    super(context);
    this._model = this.follow(new ModelModel(context.session, name));
    void this._model.open();
  }

  override dispose(): void {
    this._model?.dispose();
    super.dispose();
  }

  protected body(): React.ReactElement {
    const model = this._model;
    return (
      <Loaded ready={!!model.model} problem={model.problem} onRetry={() => void model.open()}>
        {() =>
          model.model ? (
            <ModelView
              model={model.model}
              onPromote={(alias, version) => model.promote(alias, version)}
              onDemote={alias => model.demote(alias)}
              onDeploy={async request => {
                const endpoint = await model.deploy(request);
                this.context.open({ kind: 'endpoint', name: endpoint.name });
              }}
            />
          ) : null
        }
      </Loaded>
    );
  }

  private readonly _model: ModelModel;
}
