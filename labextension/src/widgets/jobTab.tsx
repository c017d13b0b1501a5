import * as React from 'react';

import { JobView } from '../components/jobView';
import { JobModel } from '../models/jobModel';
import { basename } from '../models/sources';
import type { IContext } from './context';
import { saveAs } from './download';
import { TabView } from './tabView';

export class JobTab extends TabView<JobModel> {
  constructor(context: IContext, id: string) {
    super(context, new JobModel(context.session, id));
    this.model.changed.connect(this._onChanged, this);
    this.model.look(() => this.isVisible);
  }

  protected content(): React.ReactElement | null {
    const { model } = this;
    return model.job ? (
      <JobView
        job={model.job}
        state={model.state}
        artifacts={model.artifacts}
        usage={model.usage}
        stopping={model.stopping}
        reading={model.reading}
        tooLarge={model.tooLarge}
        onCancel={() => model.cancel()}
        onRetry={() => this._retry()}
        onOpenNotebook={() => this._openNotebook()}
        onDownload={async path => saveAs(await model.download(path), basename(path))}
      />
    ) : null;
  }

  private async _retry(): Promise<void> {
    const job = await this.model.retry();
    if (job) {
      this.context.open({ kind: 'job', id: job.id });
    }
  }

  private async _openNotebook(): Promise<void> {
    const name = this.model.job?.name ?? 'job';
    await this.context.openCopy(name, (await (await this.model.notebook()).json()) as object);
  }

  private _onChanged(): void {
    const name = this.model.job?.name;
    if (name) {
      this.rename(name);
    }
  }
}
