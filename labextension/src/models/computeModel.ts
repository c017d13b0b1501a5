import { operations } from '../api/operations';
import type { IEvent, Job, JobUsage, QueueEntry, Worker } from '../api/types';
import { limitedUse } from './limitedUse';
import type { ILimited } from './limitedUse';
import type { Session } from './session';
import { TabModel } from './tabModel';

const LOAD_MS = 3000;
const GATHER_MS = 250;
const LIMITS_MS = 15_000;
const RUNNING: ReadonlySet<Job['state']> = new Set<Job['state']>([
  'starting',
  'running',
  'cancelling'
]);

/** Machines, the jobs on them with their use, and the queue. */
export class ComputeModel extends TabModel {
  constructor(session: Session) {
    super(session);
  }

  loaded = false;
  workers: readonly Worker[] = [];
  queue: readonly QueueEntry[] = [];
  /** Jobs of the project that run. */
  jobs: readonly Job[] = [];
  usage: ReadonlyMap<string, JobUsage> = new Map();
  /** What this person and the project have used of what they may. */
  limits: readonly ILimited[] = [];

  /** Load it again and again while `visible` says that somebody looks. */
  look(visible: () => boolean): void {
    clearInterval(this._poll);
    this._poll = window.setInterval(() => {
      if (this.loaded && document.visibilityState === 'visible' && visible()) {
        void this.refresh();
      }
    }, LOAD_MS);
  }

  override dispose(): void {
    clearInterval(this._poll);
    clearTimeout(this._soon);
    super.dispose();
  }

  protected async load(): Promise<void> {
    const { client } = this.session;
    const limits = this._loadLimits(); // nothing waits for it
    const [workers, queue, page] = await Promise.all([
      operations['system.workers'](client),
      operations['jobs.queue'](client),
      operations['jobs.list'](client, { limit: 100 })
    ]);
    this.workers = workers;
    this.queue = queue;
    this.jobs = page.items.filter(job => RUNNING.has(job.state));
    const known = await Promise.all(
      this.jobs.map(job =>
        operations['jobs.usage'](client, job.id).catch(() => this.usage.get(job.id))
      )
    );
    this.usage = new Map(known.flatMap(use => (use ? [[use.job, use] as const] : [])));
    this.loaded = true;
    void limits.then(() => this.tell());
  }

  /** A burst of events costs one load. */
  protected override concerns(event: IEvent): boolean {
    if (this._soon === 0 && (event.topic === 'queue.changed' || event.topic === 'job.changed')) {
      this._soon = window.setTimeout(() => {
        this._soon = 0;
        void this.refresh();
      }, GATHER_MS);
    }
    return false;
  }

  /** They change slowly, and adding them up is work: seldom is enough. */
  private async _loadLimits(): Promise<void> {
    const now = Date.now();
    if (now - this._limitsAt < LIMITS_MS) {
      return;
    }
    this._limitsAt = now;
    const { client, system } = this.session;
    const quotas = await operations['quotas.list'](client).catch(() => null);
    if (quotas) {
      this.limits = limitedUse(quotas, system.whoami?.name ?? '', client.project);
    }
  }

  private _limitsAt = 0;
  private _poll = 0;
  private _soon = 0;
}
