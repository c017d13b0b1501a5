import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { Client } from './client';
import { operations } from './operations';
import type { IEvent } from './types';

const TOPICS = ['dataset', 'job.changed', 'model', 'deployment', 'schedule', 'queue', 'project'];
const BACKOFF_MS = [500, 1000, 2000, 5000, 10000];
const SETTLE_MS = 20;

/**
 * The page's one event stream, read by fetch (an EventSource cannot send the token or XSRF header).
 *
 * Consumers watch subjects; the stream is re-opened from the last sequence number when their set
 * changes, after a failure, and when a hidden tab is shown again, so nothing is missed.
 */
export class EventStream {
  constructor(private readonly _client: Client) {
    document.addEventListener('visibilitychange', this._onVisibility);
  }

  /** Each event once, in order. */
  get received(): ISignal<this, IEvent> {
    return this._received;
  }

  /** True when the stream came up after it was away, false when it was lost. */
  get connectedChanged(): ISignal<this, boolean> {
    return this._connectedChanged;
  }

  /** Open the stream and keep it open. */
  start(): void {
    this._wanted = true;
    this._reopen();
  }

  /** Open it anew: it carries the projects that one was in when it was opened. */
  renew(): void {
    this._reopen();
  }

  /** Let go of everything. */
  dispose(): void {
    this._wanted = false;
    document.removeEventListener('visibilitychange', this._onVisibility);
    this._abort?.abort();
    Signal.clearData(this);
  }

  /** Also receive all events of `subject` (e.g. job/ID) until the returned function is called. */
  watch(subject: string): () => void {
    this._subjects.set(subject, (this._subjects.get(subject) ?? 0) + 1);
    this._reopen();
    let done = false;
    return () => {
      if (done) {
        return;
      }
      done = true;
      const left = (this._subjects.get(subject) ?? 1) - 1;
      if (left > 0) {
        this._subjects.set(subject, left);
      } else {
        this._subjects.delete(subject);
        this._reopen();
      }
    };
  }

  private readonly _onVisibility = (): void => this._reopen();

  private _reopen(): void {
    this._abort?.abort();
    this._abort = null;
    clearTimeout(this._timer);
    if (this._wanted && document.visibilityState !== 'hidden') {
      // several watchers change at once when a layout is restored: open once
      this._timer = window.setTimeout(() => void this._run(), SETTLE_MS);
    }
  }

  private async _run(): Promise<void> {
    const abort = new AbortController();
    this._abort = abort;
    let failures = 0;
    while (!abort.signal.aborted) {
      try {
        await this._read(abort.signal, () => (failures = 0));
      } catch {
        // the status is told by connectedChanged; what follows is the back-off
      }
      if (abort.signal.aborted) {
        return;
      }
      this._setConnected(false);
      const wait = BACKOFF_MS[Math.min(failures++, BACKOFF_MS.length - 1)] ?? 10000;
      await new Promise(resolve => setTimeout(resolve, wait));
    }
  }

  private async _read(signal: AbortSignal, onOpen: () => void): Promise<void> {
    const query = { since: this._last, topics: TOPICS, subjects: [...this._subjects.keys()] };
    const response = await operations['system.events'](this._client, query, signal);
    if (!response.body) {
      return;
    }
    onOpen();
    let opening = true;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let buffer = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done || signal.aborted) {
        return;
      }
      buffer += value.replace(/\r\n?/g, '\n');
      let cut: number;
      while ((cut = buffer.indexOf('\n\n')) >= 0) {
        this._deliver(buffer.slice(0, cut));
        buffer = buffer.slice(cut + 2);
      }
      if (opening && this._last !== undefined) {
        opening = false;
        this._setConnected(true);
      }
    }
  }

  /** A block without data only says from where the stream goes on. */
  private _deliver(block: string): void {
    const lines = block.split('\n');
    const data = lines
      .filter(line => line.startsWith('data:'))
      .map(line => line.slice(5).replace(/^ /, ''));
    if (data.length === 0) {
      const id = lines.find(line => line.startsWith('id:'));
      this._last ??= id === undefined ? undefined : Number(id.slice(3));
      return;
    }
    const event = JSON.parse(data.join('\n')) as IEvent;
    if (this._last === undefined || event.seq > this._last) {
      this._last = event.seq;
      this._received.emit(event);
    }
  }

  private _setConnected(connected: boolean): void {
    if (this._connected !== connected) {
      this._connected = connected;
      this._connectedChanged.emit(connected);
    }
  }

  private readonly _subjects = new Map<string, number>();
  private readonly _received = new Signal<this, IEvent>(this);
  private readonly _connectedChanged = new Signal<this, boolean>(this);
  private _abort: AbortController | null = null;
  private _timer = 0;
  private _last: number | undefined;
  private _wanted = false;
  private _connected = false;
}
