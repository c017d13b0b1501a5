import type { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { Client } from '../api/client';
import { EventStream } from '../api/events';
import { operations } from '../api/operations';
import { TERMINAL } from '../api/types';
import type { IEvent, Job, Project } from '../api/types';
import { ListModel } from './listModel';
import { Session } from './session';
import { SystemModel } from './system';

export interface IEnded {
  project: string;
  job: string;
}

/** What one page knows of the platform: who we are, our projects, and a session for each in use. */
export class Platform {
  /**
   * @param remembered the project that was worked in before, or ''.
   * @param remember keeps the project that is worked in.
   */
  constructor(
    settings: ServerConnection.ISettings,
    remembered: string,
    private readonly _remember: (project: string) => void
  ) {
    this.client = new Client(settings);
    this.stream = new EventStream(this.client);
    this.system = new SystemModel(this.client);
    this.projects = new ListModel(
      async () => ({ items: sorted(await operations['projects.list'](this.client)) }),
      ['project']
    );
    this._current = this.session(remembered);
    this.stream.received.connect(this._onEvent, this);
    this.stream.connectedChanged.connect(this._onConnected, this);
    this.projects.changed.connect(this._onProjects, this);
  }

  readonly client: Client;
  readonly stream: EventStream;
  readonly system: SystemModel;
  /** The personal one first. */
  readonly projects: ListModel<Project>;

  /** The project that new things go to. */
  get current(): Session {
    return this._current;
  }

  /** The project to work in where none was chosen; '' while that is not known. */
  get home(): string {
    return this.system.whoami?.project ?? '';
  }

  /** With one project there is nothing to choose, and nothing is said of projects. */
  get several(): boolean {
    return this.projects.items.length > 1;
  }

  /** A laptop has one person: nothing is shared, and nothing is said of it. */
  get team(): boolean {
    return this.projects.items.some(project => project.kind === 'personal');
  }

  /** Another project is the current one. */
  get switched(): ISignal<this, Session> {
    return this._switched;
  }

  /** The current project is gone, or this person is no longer in it. */
  get lost(): ISignal<this, string> {
    return this._lost;
  }

  /** A job came to its end while this page was open. */
  get jobEnded(): ISignal<this, IEnded> {
    return this._jobEnded;
  }

  /** The session of a project, the same one each time. */
  session(project: string): Session {
    const key = project || this._current?.client.project || '';
    let found = this._sessions.get(key);
    if (!found) {
      found = new Session(this, key);
      this._sessions.set(key, found);
    }
    return found;
  }

  /** Connect, starting the platform when need be; true when it answers. */
  async connect(): Promise<boolean> {
    if (!(await this.system.connect())) {
      return false;
    }
    if (!this._started) {
      this._started = true;
      this.stream.start();
      await this.projects.refresh();
      const session = this._current;
      if (!session.client.project) {
        session.client.project = this.home;
        this._sessions.set(this.home, session);
        this._remember(this.home);
      }
    }
    return true;
  }

  /** Connect only when a platform already runs: looking must not start one. */
  async join(): Promise<boolean> {
    try {
      return (await this.client.running()) && (await this._current.connect());
    } catch {
      return false;
    }
  }

  /** Work in another project. */
  switch(project: string): void {
    const { loaded, items } = this.projects;
    if (loaded && !items.some(item => item.name === project)) {
      return;
    }
    const next = this.session(project);
    if (next !== this._current) {
      this._current = next;
      this._remember(project);
      this._switched.emit(next);
      void next.connect();
    }
  }

  dispose(): void {
    this.stream.dispose();
    this.system.dispose();
    this.projects.dispose();
    this._sessions.forEach(session => session.dispose());
    Signal.clearData(this);
  }

  /** One is in other projects than before. */
  private _onProjects(): void {
    const { items, loaded, problem } = this.projects;
    const names = items.map(item => item.name).join(' ');
    if (!loaded || problem || names === this._names) {
      return;
    }
    const before = this._names;
    if (before) {
      this.stream.renew();
    }
    this._names = names;
    const { project } = this._current.client;
    if (project && items.length && !items.some(item => item.name === project)) {
      this.switch(this.home);
      if (before) {
        this._lost.emit(project);
      }
    }
  }

  private _onConnected(_stream: EventStream, connected: boolean): void {
    if (connected) {
      this.projects.refreshSoon();
    } else if (this.system.state === 'ready') {
      void this.system.connect(); // restarts the platform when it ended
    }
  }

  private _onEvent(_stream: EventStream, event: IEvent): void {
    this.projects.hear(event);
    if (event.topic === 'job.changed') {
      void this.system.refresh();
      const state = event.payload?.['state'] as Job['state'] | undefined;
      if (state && TERMINAL.has(state)) {
        this._jobEnded.emit({ project: event.project, job: event.subject.replace(/^job\//, '') });
      }
    }
  }

  private readonly _sessions = new Map<string, Session>();
  private readonly _switched = new Signal<this, Session>(this);
  private readonly _lost = new Signal<this, string>(this);
  private readonly _jobEnded = new Signal<this, IEnded>(this);
  private _current: Session;
  private _names = '';
  private _started = false;
}

function sorted(projects: Project[]): Project[] {
  const rank = (project: Project): number => (project.kind === 'personal' ? 0 : 1);
  return projects.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}
