import * as React from 'react';

import { JobView } from '../components/jobView';
import { Loaded } from '../components/problem';
import { JobModel } from '../models/jobModel';
import { basename } from '../models/sources';
import type { IContext } from './context';
import { saveAs } from './download';
import { View } from './view';

export class JobTab extends View {
  constructor(context: IContext, id: string) {
    super(context);
    this._model = this.follow(new JobModel(context.session, id));
    this._model.changed.connect(this._onChanged, this);
    void this._model.open();
  }

  override dispose(): void {
    this._model?.dispose();
    super.dispose();
  }

  protected body(): React.ReactElement {
    const model = this._model;
    return (
      <Loaded ready={!!model.job} problem={model.problem} onRetry={() => void model.open()}>
        {() =>
          model.job ? (
            <JobView
              job={model.job}
              state={model.state}
              artifacts={model.artifacts}
              onCancel={() => model.cancel()}
              onDownload={async path => saveAs(await model.download(path), basename(path))}
            />
          ) : null
        }
      </Loaded>
    );
  }

  private _onChanged(): void {
    const name = this._model.job?.name;
    const title = this.parent?.title;
    if (name && title) {
      title.label = name;
    }
  }

  private readonly _model: JobModel;
}
