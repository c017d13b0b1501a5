import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { ProblemError, toProblem } from '../api/problem';
import type { IEvent, IPage, IPaging, Problem } from '../api/types';

const GATHER_MS = 200;
const AGAIN_MS = 1500;
const PATIENCE = 20;
const LIMIT = 200;

/** A list of the platform that keeps itself fresh from the event stream. */
export class ListModel<T> {
  constructor(
    private readonly _fetch: (paging: IPaging) => Promise<IPage<T>>,
    private readonly _topics: readonly string[]
  ) {}

  items: readonly T[] = [];
  more = false;
  loaded = false;
  problem: Problem | null = null;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Note an event; a burst of them costs one request. */
  hear(event: IEvent): void {
    if (this._topics.some(topic => event.topic.startsWith(topic))) {
      this.refreshSoon();
    }
  }

  refreshSoon(wait = GATHER_MS): void {
    if (this._timer === 0) {
      this._timer = window.setTimeout(() => {
        this._timer = 0;
        void this.refresh();
      }, wait);
    }
  }

  async refresh(): Promise<void> {
    const turn = ++this._turn;
    try {
      const page = await this._fetch({ limit: LIMIT });
      if (turn !== this._turn) {
        return;
      }
      this.items = page.items;
      this.more = !!page.next_cursor;
      this.loaded = true;
      this.problem = null;
    } catch (error) {
      if (turn !== this._turn) {
        return;
      }
      if (error instanceof ProblemError && error.unavailable && this._waits++ < PATIENCE) {
        this.refreshSoon(AGAIN_MS); // a part of the platform is still starting
        return;
      }
      this.problem = toProblem(error);
    }
    this._waits = 0;
    this._changed.emit();
  }

  dispose(): void {
    clearTimeout(this._timer);
    this._turn++;
    Signal.clearData(this);
  }

  private readonly _changed = new Signal<this, void>(this);
  private _timer = 0;
  private _turn = 0;
  private _waits = 0;
}
