import { operations } from '../api/operations';
import type { CronExplanation, Firing, IEvent, Schedule, ScheduleChange } from '../api/types';
import type { Session } from './session';
import { TabModel } from './tabModel';

const SHOWN = 100;

/** One schedule with its history, live. */
export class ScheduleModel extends TabModel {
  constructor(
    session: Session,
    readonly id: string
  ) {
    super(session);
  }

  schedule: Schedule | null = null;
  history: readonly Firing[] = [];

  async pause(paused: boolean): Promise<void> {
    const verb = paused ? 'schedules.pause' : 'schedules.resume';
    this.schedule = await operations[verb](this.session.client, this.id);
    this.tell();
  }

  async update(change: ScheduleChange): Promise<void> {
    this.schedule = await operations['schedules.update'](this.session.client, this.id, change);
    this.tell();
  }

  /** Fire now, besides the plan. */
  async run(): Promise<Firing> {
    const firing = await operations['schedules.run'](this.session.client, this.id);
    await this.refresh();
    return firing;
  }

  remove(): Promise<void> {
    return operations['schedules.remove'](this.session.client, this.id);
  }

  explain(cron: string, timezone: string): Promise<CronExplanation> {
    return operations['schedules.explain'](this.session.client, { cron, timezone });
  }

  protected async load(): Promise<void> {
    const { client } = this.session;
    const [schedule, page] = await Promise.all([
      operations['schedules.show'](client, this.id),
      operations['schedules.history'](client, this.id, { limit: SHOWN })
    ]);
    this.schedule = schedule;
    this.history = page.items;
  }

  protected override concerns(event: IEvent): boolean {
    return (
      event.subject === `schedule/${this.id}` ||
      (event.topic === 'job.changed' &&
        this.history.some(firing => event.subject === `job/${firing.job}`))
    );
  }
}
