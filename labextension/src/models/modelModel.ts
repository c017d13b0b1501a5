import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { operations } from '../api/operations';
import { toProblem } from '../api/problem';
import type { Deployment, DeployRequest, IEvent, Model, Problem } from '../api/types';
import type { Session } from './session';

/** One registered model. */
export class ModelModel {
  constructor(
    private readonly _session: Session,
    readonly name: string
  ) {}

  model: Model | null = null;
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
    await this.refresh();
  }

  async refresh(): Promise<void> {
    try {
      this.model = await operations['models.show'](this._session.client, this.name);
      this.problem = null;
    } catch (error) {
      this.problem = toProblem(error);
    }
    this._changed.emit();
  }

  async promote(alias: string, version: number): Promise<void> {
    this.model = await operations['models.promote'](
      this._session.client,
      this.name,
      alias,
      version
    );
    this._changed.emit();
  }

  async demote(alias: string): Promise<void> {
    this.model = await operations['models.demote'](this._session.client, this.name, alias);
    this._changed.emit();
  }

  deploy(request: DeployRequest): Promise<Deployment> {
    return operations['deployments.deploy'](this._session.client, request);
  }

  dispose(): void {
    this._session.stream.received.disconnect(this._onEvent, this);
    Signal.clearData(this);
  }

  private _onEvent(_stream: unknown, event: IEvent): void {
    if (event.topic.startsWith('model') || event.topic.startsWith('deployment')) {
      void this.refresh();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
}
