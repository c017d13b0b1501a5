import type { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { Client } from '../api/client';
import { EventStream } from '../api/events';
import { operations } from '../api/operations';
import { TERMINAL } from '../api/types';
import type { Dataset, Deployment, IEvent, Job, Model, Schedule } from '../api/types';
import { ListModel } from './listModel';
import { SystemModel } from './system';

/** All that one page knows of the platform; one per page, shared by every view. */
export class Session {
  constructor(settings: ServerConnection.ISettings) {
    this.client = new Client(settings);
    this.stream = new EventStream(this.client);
    this.system = new SystemModel(this.client);
    this.datasets = new ListModel(p => operations['datasets.list'](this.client, p), ['dataset']);
    this.jobs = new ListModel(
      p => operations['jobs.list'](this.client, p),
      ['job.changed', 'queue']
    );
    this.models = new ListModel(p => operations['models.list'](this.client, p), ['model']);
    this.endpoints = new ListModel(
      p => operations['deployments.list'](this.client, p),
      ['deployment', 'model']
    );
    this.schedules = new ListModel(
      p => operations['schedules.list'](this.client, p),
      ['schedule', 'job.changed']
    );
    this.stream.received.connect(this._onEvent, this);
    this.stream.connectedChanged.connect(this._onConnected, this);
  }

  readonly client: Client;
  readonly stream: EventStream;
  readonly system: SystemModel;
  readonly datasets: ListModel<Dataset>;
  readonly jobs: ListModel<Job>;
  readonly models: ListModel<Model>;
  readonly endpoints: ListModel<Deployment>;
  readonly schedules: ListModel<Schedule>;

  /** A job came to its end while this page was open. */
  get jobEnded(): ISignal<this, string> {
    return this._jobEnded;
  }

  /** Connect, starting the platform when need be, and keep all lists live. */
  async connect(): Promise<boolean> {
    if (await this.system.connect()) {
      if (!this._started) {
        this._started = true;
        this.stream.start();
      }
      this._refreshAll();
      return true;
    }
    return false;
  }

  /** Connect only when a platform already runs: looking must not start one. */
  async join(): Promise<boolean> {
    try {
      return (await this.client.running()) && (await this.connect());
    } catch {
      return false;
    }
  }

  /** Address of MLflow's own pages, of one run when given. */
  mlflowUrl(run?: string): string {
    const workspace = encodeURIComponent(this.client.project);
    const page = run ? `runs/${run}` : 'experiments';
    return `${this.client.url('mlflow')}/#/${page}?workspace=${workspace}`;
  }

  job(id: string): Promise<Job> {
    return operations['jobs.show'](this.client, id);
  }

  dispose(): void {
    this.stream.dispose();
    this.system.dispose();
    this._lists.forEach(list => list.dispose());
    Signal.clearData(this);
  }

  private get _lists(): readonly { dispose(): void; refreshSoon(): void; hear(e: IEvent): void }[] {
    return [this.datasets, this.jobs, this.models, this.endpoints, this.schedules];
  }

  private _refreshAll(): void {
    this._lists.forEach(list => list.refreshSoon());
  }

  private _onConnected(_stream: EventStream, connected: boolean): void {
    if (connected) {
      this._refreshAll(); // what happened before the stream was there was not heard
    } else if (this.system.state === 'ready') {
      void this.system.connect(); // restarts the platform when it ended
    }
  }

  private _onEvent(_stream: EventStream, event: IEvent): void {
    this._lists.forEach(list => list.hear(event));
    if (event.topic === 'job.changed') {
      void this.system.refresh();
      const state = event.payload?.['state'] as Job['state'] | undefined;
      if (state && TERMINAL.has(state)) {
        this._jobEnded.emit(event.subject.replace(/^job\//, ''));
      }
    }
  }

  private readonly _jobEnded = new Signal<this, string>(this);
  private _started = false;
}
