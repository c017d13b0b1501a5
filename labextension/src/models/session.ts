import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { Client } from '../api/client';
import type { EventStream } from '../api/events';
import { operations } from '../api/operations';
import type { Dataset, Deployment, IEvent, Job, Model, Project, Schedule } from '../api/types';
import { ListModel } from './listModel';
import { Permissions } from './permissions';
import type { Platform } from './platform';
import type { ISubmitValue } from './submission';
import type { SystemModel } from './system';

/** All that one page knows of one project; every view of the project shares it. */
export class Session {
  /** @param project '' for the current one, as soon as that is known. */
  constructor(
    readonly platform: Platform,
    project: string
  ) {
    this.client = new Client(platform.client.settings, project, () =>
      this.permissions.refreshSoon()
    );
    this.stream = platform.stream;
    this.system = platform.system;
    this.permissions = new Permissions(this.client);
    this.datasets = new ListModel(p => operations['datasets.list'](this.client, p), ['dataset']);
    this.shared = new ListModel(
      async p =>
        platform.team
          ? operations['datasets.list'](this.client, { ...p, shared: true })
          : { items: [] },
      ['dataset']
    );
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
  readonly permissions: Permissions;
  readonly datasets: ListModel<Dataset>;
  /** Datasets of other projects that are shared with this person. */
  readonly shared: ListModel<Dataset>;
  readonly jobs: ListModel<Job>;
  readonly models: ListModel<Model>;
  readonly endpoints: ListModel<Deployment>;
  readonly schedules: ListModel<Schedule>;
  /** What was filled in for a file, by its path, on the way from one form to another. */
  readonly drafts = new Map<string, ISubmitValue>();

  /** Events of this project. */
  get received(): ISignal<this, IEvent> {
    return this._received;
  }

  /** What is known of the project itself. */
  get project(): Project | null {
    return this.platform.projects.items.find(item => item.name === this.client.project) ?? null;
  }

  /** Somebody else's project, of which only a dataset is shared with this person. */
  get guest(): boolean {
    const { loaded, items } = this.platform.projects;
    return loaded && items.length > 0 && !!this.client.project && !this.project;
  }

  /** Datasets to train on, those of other projects by their full name. */
  get inputs(): readonly Dataset[] {
    const others = this.shared.items.map(item => ({ ...item, name: fullName(item) }));
    return [...this.datasets.items, ...others];
  }

  /** Connect, starting the platform when need be, and keep all lists live. */
  async connect(): Promise<boolean> {
    if (await this.platform.connect()) {
      this.client.project ||= this.platform.home;
      this._live = true;
      this._refreshAll();
      return true;
    }
    return false;
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
    this.stream.received.disconnect(this._onEvent, this);
    this.stream.connectedChanged.disconnect(this._onConnected, this);
    this._lists.forEach(list => list.dispose());
    Signal.clearData(this);
  }

  private get _lists(): readonly { dispose(): void; refreshSoon(): void; hear(e: IEvent): void }[] {
    return [
      this.permissions,
      this.datasets,
      this.shared,
      this.jobs,
      this.models,
      this.endpoints,
      this.schedules
    ];
  }

  private _refreshAll(): void {
    this._lists.forEach(list => list.refreshSoon());
  }

  /** What happened before the stream was there was not heard. */
  private _onConnected(_stream: EventStream, connected: boolean): void {
    if (connected && this._live) {
      this._refreshAll();
    }
  }

  private _onEvent(_stream: EventStream, event: IEvent): void {
    if (event.project === this.client.project && this._live) {
      this._lists.forEach(list => list.hear(event));
      this._received.emit(event);
    }
  }

  private readonly _received = new Signal<this, IEvent>(this);
  private _live = false;
}

/** How a dataset is called outside its project. */
export const fullName = (dataset: Dataset): string => `${dataset.project}/${dataset.name}`;
