import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { readSmall } from '../api/limited';
import { operations } from '../api/operations';
import { toProblem } from '../api/problem';
import { TERMINAL } from '../api/types';
import type { Artifact, IEvent, Job, JobUsage, Problem } from '../api/types';
import { eventPages } from './jobHistory';
import { addPoint, apply, cellStates, emptyState, isShortened, mergeNotebook } from './jobState';
import type { IJobState } from './jobState';
import type { Session } from './session';
import { UsageReader } from './usageReader';

const SHOWN_ANEW = new Set(['job.changed', 'job.attempt', 'job.phase']);
const FRAME_MS = 60;
const SHOW_MS = 300;
const USAGE_MS = 3000;
const QUEUE_MS = 15_000;
const FILL_MS = [500, 1000, 2000, 4000, 8000, 15_000, 30_000];
/** One job, live: history by pages, then the page's stream, each event once. */
export class JobModel {
  constructor(
    private readonly _session: Session,
    readonly id: string
  ) {
    this._use = new UsageReader(_session, id);
  }

  job: Job | null = null;
  state: IJobState = emptyState();
  artifacts: readonly Artifact[] = [];
  problem: Problem | null = null;
  loaded = false;
  /** Asked to stop, and no answer yet. */
  stopping = false;
  /** Events read so far while a long history loads; 0 when it is there. */
  reading = 0;
  /** The executed notebook is too large to be shown. */
  tooLarge = false;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get usage(): JobUsage | null {
    return this._use.usage;
  }

  get ended(): boolean {
    return !!this.job && TERMINAL.has(this.job.state);
  }

  /** Load and follow until disposed. */
  async open(): Promise<void> {
    if (!(await this._session.connect())) {
      this.problem = this._session.system.problem;
      this._tell();
      return;
    }
    if (!this._unwatch) {
      this._session.received.connect(this._onEvent, this);
      this._session.stream.connectedChanged.connect(this._onConnected, this);
      this._unwatch = this._session.stream.watch(`job/${this.id}`);
    }
    await this._catchUp();
  }

  /** Follow what the job uses, and its place in the queue, while `visible` says somebody looks. */
  look(visible: () => boolean): void {
    const every = (wait: number, work: () => void): number =>
      window.setInterval(() => {
        if (visible() && document.visibilityState !== 'hidden') {
          work();
        }
      }, wait);
    this._usageTimer = every(USAGE_MS, () => void this._readUsage());
    this._queueTimer = every(QUEUE_MS, () => this._onQueue());
  }

  async cancel(): Promise<void> {
    this.stopping = true;
    this._tell();
    try {
      this.job = await operations['jobs.cancel'](this._session.client, this.id);
    } catch (error) {
      this.problem = toProblem(error);
    } finally {
      this.stopping = false;
      this._tell();
    }
  }

  /** The same again as a new job; null when that was refused, which `problem` then tells. */
  async retry(): Promise<Job | null> {
    try {
      return await operations['jobs.retry'](this._session.client, this.id);
    } catch (error) {
      this.problem = toProblem(error);
      this._tell();
      return null;
    }
  }

  async download(path: string): Promise<Blob> {
    return (await operations['jobs.artifact'](this._session.client, this.id, path)).blob();
  }

  /** The executed notebook as far as it got, of any size. */
  notebook(): Promise<Response> {
    return operations['jobs.notebook'](this._session.client, this.id);
  }

  dispose(): void {
    this._disposed = true;
    this._unwatch?.();
    this._session.received.disconnect(this._onEvent, this);
    this._session.stream.connectedChanged.disconnect(this._onConnected, this);
    clearInterval(this._usageTimer);
    clearInterval(this._queueTimer);
    [this._timer, this._showTimer, this._fillTimer].forEach(timer => clearTimeout(timer));
    Signal.clearData(this);
  }

  private _catchUp(): Promise<void> {
    this._catching ??= this._load().finally(() => (this._catching = null));
    return this._catching;
  }

  private async _load(): Promise<void> {
    try {
      this.job = await operations['jobs.show'](this._session.client, this.id);
      this.problem = null;
      this._outdated = false;
      this._tell();
      if (this._live) {
        await this._readEvents(this.state, () => undefined);
        await this._fillIn(this._readNotebook());
      } else {
        await this._loadFirst();
      }
      this.loaded = true;
    } catch (error) {
      this.problem = toProblem(error);
    }
    this._tell();
    this._fillSoon();
    void this._readUsage();
    if (this._outdated && !this.ended) {
      this._showSoon(); // what was read may be newer than the job, which was read first
    }
  }

  /** Shows the notebook as it was saved while a long history is still being read. */
  private async _loadFirst(): Promise<void> {
    const notebook = this._readNotebook();
    const building = (this._building ??= emptyState());
    await this._readEvents(building, () => {
      if (this.reading === 0) {
        void notebook.then(saved => this._showSaved(saved));
      }
      this.reading = this._read;
      this._tell();
    });
    this.state = building;
    this._building = null;
    this.reading = 0;
    this._live = true;
    this._early.splice(0).forEach(event => this._take(event));
    await this._fillIn(notebook);
  }

  private _showSaved(notebook: unknown): void {
    if (this._building) {
      const early = emptyState();
      mergeNotebook(early, notebook, true);
      cellStates(early, notebook);
      this.state = early;
      this._tell();
    }
  }

  /** All events after the last one known; `more` is called after each page that is not the last. */
  private async _readEvents(into: IJobState, more: () => void): Promise<void> {
    for await (const page of eventPages(this._session.client, this.id, this._last)) {
      for (const event of page.events) {
        if (event.seq > this._last) {
          this._last = event.seq;
          apply(into, event);
          this._outdated ||= SHOWN_ANEW.has(event.topic);
        }
      }
      this._read += page.events.length;
      if (this._disposed || !page.more) {
        return;
      }
      more();
    }
  }

  private async _readNotebook(): Promise<unknown> {
    const reading = this.job?.kind === 'notebook' ? readSmall(this.notebook()) : null;
    const read = await reading?.catch(() => null); // the events tell most of it
    this.tooLarge = read?.tooLarge ?? this.tooLarge;
    return read?.value ?? null;
  }

  /** What events do not tell: cells to come, files, and curves that were written past the stream. */
  private async _fillIn(reading: Promise<unknown>): Promise<void> {
    const { client } = this._session;
    const quiet = (): null => null;
    const ended = this.ended;
    const [notebook, artifacts, series] = await Promise.all([
      reading,
      operations['jobs.artifacts'](client, this.id).catch(quiet),
      this.job?.run_id && ended
        ? operations['runs.metrics'](client, this.job.run_id).catch(quiet)
        : null
    ]);
    mergeNotebook(this.state, notebook, ended);
    this.artifacts = artifacts ?? this.artifacts;
    for (const { key, points } of series ?? []) {
      if (!this.state.metrics.has(key)) {
        points.forEach(point => addPoint(this.state, { key, ...point }));
      }
    }
  }

  /** Look into the notebook again while it has something that the events had not. */
  private _fillSoon(): void {
    const wanted = this.state.stale || (isShortened(this.state) && !this.tooLarge);
    if (!wanted || !this._live || this.ended) {
      this._fills = 0;
    } else if (this._fillTimer === 0 && !this._disposed) {
      const wait = FILL_MS[Math.min(this._fills++, FILL_MS.length - 1)];
      this._fillTimer = window.setTimeout(() => void this._fillAgain(), wait);
    }
  }

  private async _fillAgain(): Promise<void> {
    mergeNotebook(this.state, await this._readNotebook(), this.ended);
    this._fillTimer = 0;
    this._tell();
    this._fillSoon();
  }

  private async _readUsage(): Promise<void> {
    if (this.job?.started_at && (await this._use.read(this.ended))) {
      this._tell();
    }
  }

  private _onConnected(_stream: unknown, connected: boolean): void {
    if (connected) {
      void this._catchUp();
    }
  }

  private _onEvent(_stream: unknown, event: IEvent): void {
    if (event.topic.startsWith('queue')) {
      this._onQueue();
    }
    if (event.subject !== `job/${this.id}`) {
      return;
    }
    if (this._live) {
      this._take(event);
      this._tellSoon();
    } else {
      this._early.push(event);
    }
  }

  private _onQueue(): void {
    if (this.job?.state === 'queued') {
      this._showSoon();
    }
  }

  private _take(event: IEvent): void {
    if (event.seq <= this._last) {
      return;
    }
    this._last = event.seq;
    apply(this.state, event);
    if (event.topic === 'job.progress' && this.job) {
      const { done, total } = event.payload ?? {};
      const progress = { done: Number(done ?? 0), total: Number(total ?? 0) };
      this.job = { ...this.job, progress };
    }
    if (SHOWN_ANEW.has(event.topic)) {
      this._showSoon();
    }
  }

  private _showSoon(): void {
    if (this._showTimer === 0 && !this._disposed) {
      this._showTimer = window.setTimeout(() => {
        this._showTimer = 0;
        void this._show();
      }, SHOW_MS);
    }
  }

  private async _show(): Promise<void> {
    const before = this.job?.state;
    try {
      this.job = await operations['jobs.show'](this._session.client, this.id);
      if (this.job.state !== before) {
        await this._fillIn(this._readNotebook());
        void this._readUsage();
      }
    } catch (error) {
      this.problem = toProblem(error);
    }
    this._tell();
  }

  private _tellSoon(): void {
    if (this._timer === 0) {
      this._timer = window.setTimeout(() => {
        this._timer = 0;
        this._tell();
        this._fillSoon();
      }, FRAME_MS);
    }
  }

  private _tell(): void {
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _early: IEvent[] = [];
  private readonly _use: UsageReader;
  private _building: IJobState | null = null;
  private _unwatch: (() => void) | null = null;
  private _catching: Promise<void> | null = null;
  private _last = 0;
  private _read = 0;
  private _live = false;
  private _outdated = false;
  private _disposed = false;
  private _fills = 0;
  private _timer = 0;
  private _showTimer = 0;
  private _fillTimer = 0;
  private _usageTimer = 0;
  private _queueTimer = 0;
}
