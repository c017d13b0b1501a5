import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { Client } from '../api/client';
import { operations } from '../api/operations';
import { ProblemError, toProblem } from '../api/problem';
import type { Health, Problem, Whoami, Worker } from '../api/types';

const RETRY_MS = [500, 1000, 2000, 4000];
const TRIES = 12;

/** Is the platform there, who are we, and what machines run jobs. */
export class SystemModel {
  constructor(private readonly _client: Client) {}

  state: 'starting' | 'ready' | 'unavailable' = 'starting';
  problem: Problem | null = null;
  whoami: Whoami | null = null;
  health: Health | null = null;
  workers: readonly Worker[] = [];

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Resolves when the platform answers; starts it on the way. Callable again after a failure. */
  connect(): Promise<boolean> {
    this._connecting ??= this._connect().finally(() => (this._connecting = null));
    return this._connecting;
  }

  async refresh(): Promise<void> {
    try {
      [this.workers, this.health] = await Promise.all([
        operations['system.workers'](this._client),
        operations['system.health'](this._client)
      ]);
    } catch {
      return; // what was known stays on show; the stream says whether the platform is there
    }
    this._changed.emit();
  }

  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
  }

  private async _connect(): Promise<boolean> {
    for (let attempt = 0; attempt < TRIES && !this._disposed; attempt++) {
      if (this.state !== 'ready' || attempt > 0) {
        this._tell('starting'); // what is on show stays while it is only asked once more
      }
      try {
        this.whoami = await operations['system.whoami'](this._client);
        this.problem = null;
        this._tell('ready');
        void this.refresh();
        return true;
      } catch (error) {
        this.problem = toProblem(error);
        if (!(error instanceof ProblemError) || !error.unavailable) {
          break; // refused, not away: waiting does not help
        }
      }
      const wait = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] ?? 4000;
      await new Promise(resolve => setTimeout(resolve, wait));
    }
    this._tell('unavailable');
    return false;
  }

  private _tell(state: SystemModel['state']): void {
    this.state = state;
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private _connecting: Promise<boolean> | null = null;
  private _disposed = false;
}
