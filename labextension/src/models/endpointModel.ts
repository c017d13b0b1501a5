import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { operations } from '../api/operations';
import { toProblem } from '../api/problem';
import type {
  Deployment,
  IEvent,
  IssuedToken,
  Prediction,
  Problem,
  TokenInfo,
  TokenRequest
} from '../api/types';
import type { Session } from './session';

const POLL_MS = 2000;
const KEPT = 60;

/** One endpoint; its traffic is polled only while somebody looks at it. */
export class EndpointModel {
  constructor(
    private readonly _session: Session,
    readonly name: string
  ) {}

  endpoint: Deployment | null = null;
  tokens: readonly TokenInfo[] = [];
  /** Requests per second, one value a poll, the newest last. */
  traffic: readonly number[] = [];
  problem: Problem | null = null;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  async open(): Promise<void> {
    if (!(await this._session.connect())) {
      this.problem = this._session.system.problem;
      this._changed.emit();
      return;
    }
    this._session.stream.received.connect(this._onEvent, this);
    await Promise.all([this.refresh(), this._listTokens()]);
  }

  /** Poll the traffic while `visible` says that somebody looks. */
  look(visible: () => boolean): void {
    clearInterval(this._poll);
    this._poll = window.setInterval(() => {
      if (document.visibilityState === 'visible' && this.endpoint && visible()) {
        void this.refresh();
      }
    }, POLL_MS);
  }

  async refresh(): Promise<void> {
    try {
      this.endpoint = await operations['deployments.show'](this._session.client, this.name);
      const now = this.endpoint.statistics?.requests_per_second ?? 0;
      this.traffic = [...this.traffic, now].slice(-KEPT);
      this.problem = null;
    } catch (error) {
      this.problem = toProblem(error);
    }
    this._changed.emit();
  }

  predict(inputs: Record<string, unknown[]>): Promise<Prediction> {
    return operations['deployments.predict'](this._session.client, this.name, inputs);
  }

  async rollback(): Promise<void> {
    this.endpoint = await operations['deployments.rollback'](this._session.client, this.name);
    this._changed.emit();
  }

  async undeploy(): Promise<void> {
    await operations['deployments.undeploy'](this._session.client, this.name);
    clearInterval(this._poll);
  }

  async issue(request: TokenRequest): Promise<IssuedToken> {
    const client = this._session.client;
    const issued = await operations['deployments.issue_token'](client, this.name, request);
    await this._listTokens();
    return issued;
  }

  async revoke(id: string): Promise<void> {
    await operations['deployments.revoke_token'](this._session.client, this.name, id);
    await this._listTokens();
  }

  dispose(): void {
    clearInterval(this._poll);
    this._session.stream.received.disconnect(this._onEvent, this);
    Signal.clearData(this);
  }

  private async _listTokens(): Promise<void> {
    try {
      this.tokens = await operations['deployments.tokens'](this._session.client, this.name);
      this._changed.emit();
    } catch {
      // may be refused to readers; the rest of the tab does not need it
    }
  }

  private _onEvent(_stream: unknown, event: IEvent): void {
    if (event.topic.startsWith('deployment') && event.subject === `deployment/${this.name}`) {
      void this.refresh();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _poll = 0;
}
