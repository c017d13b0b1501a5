import * as React from 'react';

import { operations } from '../api/operations';
import { SubmitForm } from '../components/submitForm';
import { submissionOf } from '../models/submission';
import type { ISubmitValue } from '../models/submission';
import type { IContext } from './context';
import { SourceTab } from './sourceTab';

/** The submit form: one required field, the notebook. */
export class SubmitTab extends SourceTab {
  constructor(
    context: IContext,
    path: string,
    private readonly _dataset?: string
  ) {
    super(context, path);
  }

  protected form(): React.ReactElement {
    return (
      <SubmitForm
        {...this.fields}
        dataset={this._dataset}
        onSubmit={value => this._submit(value)}
        onSchedule={value => {
          this.context.session.drafts.set(this.path, value);
          this.context.open({ kind: 'plan', path: this.path });
        }}
      />
    );
  }

  private async _submit(value: ISubmitValue): Promise<void> {
    const body = submissionOf(await this.saved(), value);
    const job = await operations['jobs.submit'](this.context.session.client, body);
    this.context.open({ kind: 'job', id: job.id });
    this.leave();
  }
}
