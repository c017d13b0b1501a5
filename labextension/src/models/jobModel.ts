import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { operations } from '../api/operations';
import { toProblem } from '../api/problem';
import { TERMINAL } from '../api/types';
import type { Artifact, IEvent, Job, Problem } from '../api/types';
import { addPoint, apply, emptyState, mergeNotebook } from './jobState';
import type { IJobState } from './jobState';
import type { Session } from './session';

const PAGE = 2000;
const FRAME_MS = 60;
const SHOW_MS = 300;

/** One job, live: history by pages, then the page's stream, each event once. */
export class JobModel {
  constructor(
    private readonly _session: Session,
    readonly id: string
  ) {}

  job: Job | null = null;
  state: IJobState = emptyState();
  artifacts: readonly Artifact[] = [];
  problem: Problem | null = null;
  loaded = false;

  get changed(): ISignal<this, void> {
    return this._changed;
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
      this._session.stream.received.connect(this._onEvent, this);
      this._session.stream.connectedChanged.connect(this._onConnected, this);
      this._unwatch = this._session.stream.watch(`job/${this.id}`);
    }
    await this._catchUp();
  }

  async cancel(): Promise<void> {
    this.job = await operations['jobs.cancel'](this._session.client, this.id);
    this._tell();
  }

  async download(path: string): Promise<Blob> {
    return (await operations['jobs.artifact'](this._session.client, this.id, path)).blob();
  }

  dispose(): void {
    this._unwatch?.();
    this._session.stream.received.disconnect(this._onEvent, this);
    this._session.stream.connectedChanged.disconnect(this._onConnected, this);
    clearTimeout(this._timer);
    clearTimeout(this._showTimer);
    Signal.clearData(this);
  }

  private _catchUp(): Promise<void> {
    this._catching ??= this._load().finally(() => (this._catching = null));
    return this._catching;
  }

  private async _load(): Promise<void> {
    const client = this._session.client;
    try {
      this.job = await operations['jobs.show'](client, this.id);
      this.problem = null;
      this._tell();
      for (;;) {
        const query = { since: this._last, limit: PAGE };
        const events = await operations['jobs.events'](client, this.id, query);
        events.forEach(event => this._take(event));
        if (events.length < PAGE) {
          break;
        }
      }
      this._live = true;
      this._early.splice(0).forEach(event => this._take(event));
      await this._fillIn();
      this.loaded = true;
    } catch (error) {
      this.problem = toProblem(error);
    }
    this._tell();
  }

  /** What events do not tell: cells to come, files, and curves that were written past the stream. */
  private async _fillIn(): Promise<void> {
    const client = this._session.client;
    const quiet = (): null => null;
    const [notebook, artifacts, series] = await Promise.all([
      this.job?.kind === 'notebook'
        ? operations['jobs.notebook'](client, this.id).catch(quiet)
        : null,
      operations['jobs.artifacts'](client, this.id).catch(quiet),
      this.job?.run_id && this.ended
        ? operations['runs.metrics'](client, this.job.run_id).catch(quiet)
        : null
    ]);
    mergeNotebook(this.state, notebook, this.ended);
    this.artifacts = artifacts ?? this.artifacts;
    for (const { key, points } of series ?? []) {
      if (!this.state.metrics.has(key)) {
        points.forEach(point => addPoint(this.state, { key, ...point }));
      }
    }
  }

  private _onConnected(_stream: unknown, connected: boolean): void {
    if (connected) {
      void this._catchUp();
    }
  }

  private _onEvent(_stream: unknown, event: IEvent): void {
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

  private _take(event: IEvent): void {
    if (event.seq <= this._last) {
      return;
    }
    this._last = event.seq;
    apply(this.state, event);
    if (this._live && (event.topic === 'job.changed' || event.topic === 'job.progress')) {
      this._patch(event.payload ?? {}, event.topic === 'job.changed');
    }
  }

  private _patch(payload: Record<string, unknown>, changed: boolean): void {
    if (!changed && this.job) {
      const progress = { done: Number(payload['done'] ?? 0), total: Number(payload['total'] ?? 0) };
      this.job = { ...this.job, progress };
    }
    if (changed && this._showTimer === 0) {
      this._showTimer = window.setTimeout(() => {
        this._showTimer = 0;
        void this._show();
      }, SHOW_MS);
    }
  }

  private async _show(): Promise<void> {
    try {
      this.job = await operations['jobs.show'](this._session.client, this.id);
      await this._fillIn();
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
      }, FRAME_MS);
    }
  }

  private _tell(): void {
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _early: IEvent[] = [];
  private _unwatch: (() => void) | null = null;
  private _catching: Promise<void> | null = null;
  private _last = 0;
  private _live = false;
  private _timer = 0;
  private _showTimer = 0;
}
