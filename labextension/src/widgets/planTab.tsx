import * as React from 'react';

import { operations } from '../api/operations';
import { ScheduleForm } from '../components/scheduleForm';
import type { IPlan } from '../components/scheduleForm';
import { submissionOf } from '../models/submission';
import type { ISubmitValue } from '../models/submission';
import type { IContext } from './context';
import { SourceTab } from './sourceTab';

/** The form that puts a notebook or script on a schedule. */
export class PlanTab extends SourceTab {
  constructor(context: IContext, path: string) {
    super(context, path);
    this._given = this._draft();
    const asked = context.session.client.root().catch(() => null);
    void asked.then(root => {
      this._root = root;
      this.update();
    });
  }

  /** It is asked for again, perhaps with other values. */
  again(): void {
    const draft = this._draft();
    if (draft) {
      this._given = draft;
      this._round++;
      this.update();
    }
  }

  protected form(): React.ReactElement {
    const { client } = this.context.session;
    return (
      <ScheduleForm
        {...this.fields}
        key={this._round}
        given={this._given}
        mayFollow={!!this._root}
        onExplain={(cron, timezone) => operations['schedules.explain'](client, { cron, timezone })}
        onSchedule={(plan, value) => this._schedule(plan, value)}
      />
    );
  }

  private async _schedule(plan: IPlan, value: ISubmitValue): Promise<void> {
    const submission = submissionOf(await this.saved(), value);
    const path = plan.follow ? `${this._root?.replace(/\/$/, '')}/${this.path}` : '';
    const made = await operations['schedules.create'](this.context.session.client, {
      ...plan,
      path,
      submission
    });
    this.context.open({ kind: 'schedule', id: made.id });
    this.leave();
  }

  /** What was filled in elsewhere for this file. */
  private _draft(): ISubmitValue | undefined {
    const { drafts } = this.context.session;
    const draft = drafts.get(this.path);
    drafts.delete(this.path);
    return draft;
  }

  private _given: ISubmitValue | undefined;
  private _round = 0;
  private _root: string | null = null;
}
