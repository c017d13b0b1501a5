import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { toProblem } from '../api/problem';
import type { IEvent, Problem } from '../api/types';
import type { Session } from './session';

/** What a tab shows of one thing: connects, loads, hears the stream and tells of changes. */
export abstract class TabModel {
  constructor(protected readonly session: Session) {}

  /** Why the last load failed; null when it did not. */
  problem: Problem | null = null;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Connect and load; callable again after a failure. */
  async open(): Promise<void> {
    if (!(await this.session.connect())) {
      this.problem = this.session.system.problem;
      this.tell();
      return;
    }
    this.session.received.connect(this._onEvent, this);
    this.session.stream.connectedChanged.connect(this._onConnected, this);
    await this.refresh();
  }

  /** Load again; while that is going on, once more after it: the last answer is the newest. */
  refresh(): Promise<void> {
    if (this._loading) {
      this._again = true;
      return this._loading;
    }
    this._loading = this._loadAll().finally(() => (this._loading = null));
    return this._loading;
  }

  dispose(): void {
    this.session.received.disconnect(this._onEvent, this);
    this.session.stream.connectedChanged.disconnect(this._onConnected, this);
    Signal.clearData(this);
  }

  /** Fetch what is shown; what it throws becomes `problem`. */
  protected abstract load(): Promise<void>;

  /** Does this event make what is shown stale? */
  protected concerns(_event: IEvent): boolean {
    return false;
  }

  /** Do something that may fail, and draw what came of it. */
  protected async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.problem = null;
    } catch (error) {
      this.problem = toProblem(error);
    }
    this.tell();
  }

  protected tell(): void {
    this._changed.emit();
  }

  private async _loadAll(): Promise<void> {
    do {
      this._again = false;
      await this.attempt(() => this.load());
    } while (this._again);
  }

  /** What happened while the stream was away was not heard. */
  private _onConnected(_stream: unknown, connected: boolean): void {
    if (connected) {
      void this.refresh();
    }
  }

  private _onEvent(_stream: unknown, event: IEvent): void {
    if (this.concerns(event)) {
      void this.refresh();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _loading: Promise<void> | null = null;
  private _again = false;
}
