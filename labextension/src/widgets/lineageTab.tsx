import * as React from 'react';

import { LineageView } from '../components/lineageView';
import { Loaded } from '../components/problem';
import { LineageModel } from '../models/lineageModel';
import type { IContext } from './context';
import { View } from './view';

export class LineageTab extends View {
  constructor(context: IContext, ref: string) {
    super(context);
    this._model = this.follow(new LineageModel(context.session, ref));
    void this._model.open();
  }

  override dispose(): void {
    this._model?.dispose();
    super.dispose();
  }

  protected body(): React.ReactElement {
    const model = this._model;
    return (
      <Loaded ready={!!model.lineage} problem={model.problem} onRetry={() => void model.open()}>
        {() =>
          model.lineage ? (
            <LineageView
              lineage={model.lineage}
              reference={model.ref}
              onExpand={node => void model.expand(node)}
            />
          ) : null
        }
      </Loaded>
    );
  }

  private readonly _model: LineageModel;
}
