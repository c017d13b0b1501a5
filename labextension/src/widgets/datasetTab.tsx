import * as React from 'react';

import { DatasetView } from '../components/datasetView';
import { EmptyState } from '../components/basics';
import { Loaded } from '../components/problem';
import { DatasetModel } from '../models/datasetModel';
import type { IContext } from './context';
import { View } from './view';

export class DatasetTab extends View {
  constructor(context: IContext, name: string, version?: number) {
    super(context);
    this._model = this.follow(new DatasetModel(context.session, name, version ?? null));
    void this._model.open();
  }

  /** Show another version, asked for from elsewhere. */
  showVersion(version: number): void {
    void this._model.show(version);
  }

  override dispose(): void {
    this._model?.dispose();
    super.dispose();
  }

  protected body(): React.ReactElement {
    const model = this._model;
    const { trans } = this.context;
    if (model.removed) {
      return <EmptyState title={trans.__('%1 was removed', model.name)} text="" />;
    }
    return (
      <Loaded ready={!!model.dataset} problem={model.problem} onRetry={() => void model.open()}>
        {() =>
          model.dataset ? (
            <DatasetView
              dataset={model.dataset}
              policy={model.policy}
              history={model.history}
              more={!!model.more}
              selected={model.selected}
              version={model.version}
              rows={model.rows}
              rowsProblem={model.rowsProblem}
              diff={model.diff}
              onShow={version => void model.show(version)}
              onOlder={() => void model.older()}
              onPage={(offset, where) => void model.page(offset, where)}
              onCompare={(base, target) => model.compare(base, target)}
              onTag={(tag, version, move) => model.tag(tag, version, move)}
              onUntag={tag => model.untag(tag)}
              onInsert={code => this.context.insert(code)}
            />
          ) : null
        }
      </Loaded>
    );
  }

  private readonly _model: DatasetModel;
}
