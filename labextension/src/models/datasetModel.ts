import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { operations } from '../api/operations';
import { toProblem } from '../api/problem';
import type {
  Dataset,
  Diff,
  IEvent,
  Policy,
  Problem,
  Rows,
  Version,
  VersionSummary
} from '../api/types';
import type { Session } from './session';

export const ROWS_PAGE = 50;

/** One dataset: its history, the version on show, its rows, a diff. */
export class DatasetModel {
  constructor(
    private readonly _session: Session,
    readonly name: string,
    private _wanted: number | null = null
  ) {}

  dataset: Dataset | null = null;
  /** What this person sees of it; null where nothing is shared. */
  policy: Policy | null = null;
  history: readonly VersionSummary[] = [];
  more: string | null = null;
  /** The version asked for; `version` follows when it is loaded. 0: none. */
  selected = 0;
  version: Version | null = null;
  rows: Rows | null = null;
  diff: Diff | null = null;
  problem: Problem | null = null;
  rowsProblem: Problem | null = null;
  removed = false;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  async open(): Promise<void> {
    if (!(await this._session.connect())) {
      this.problem = this._session.system.problem;
      this._changed.emit();
      return;
    }
    this._session.received.connect(this._onEvent, this);
    await this.refresh();
  }

  async refresh(): Promise<void> {
    const client = this._session.client;
    try {
      const newest = !this.selected || this.selected === this.dataset?.version;
      const { team } = this._session.platform;
      const [dataset, page, policy] = await Promise.all([
        operations['datasets.show'](client, this.name),
        operations['datasets.history'](client, this.name, { limit: 50 }),
        team ? operations['datasets.policy'](client, this.name) : null
      ]);
      this.dataset = dataset;
      this.policy = policy;
      this.history = page.items;
      this.more = page.next_cursor ?? null;
      this.problem = null;
      this._changed.emit();
      const wanted = this._wanted ?? (newest ? dataset.version : this.selected);
      this._wanted = null;
      if (wanted > 0 && wanted !== this.selected) {
        await this.show(wanted);
      }
    } catch (error) {
      this.problem = toProblem(error);
    }
    this._changed.emit();
  }

  /** Show a version with its statistics and first rows. */
  async show(version: number): Promise<void> {
    this.selected = version;
    this.version = null;
    this.rows = null;
    this._changed.emit();
    try {
      const client = this._session.client;
      const found = await operations['datasets.version'](client, this.name, `v${version}`);
      if (this.selected !== version) {
        return; // another one was asked for meanwhile
      }
      this.version = found;
      this.problem = null;
    } catch (error) {
      this.problem = toProblem(error);
    }
    this._changed.emit();
    await this.page(0);
  }

  /** Show rows from `offset`, perhaps only those that fulfil `where`. */
  async page(offset: number, where = ''): Promise<void> {
    const version = this.selected;
    if (!version) {
      return;
    }
    const query = { ref: `v${version}`, where, offset, limit: ROWS_PAGE };
    try {
      const rows = await operations['datasets.rows'](this._session.client, this.name, query);
      if (this.selected !== version) {
        return;
      }
      this.rows = rows;
      this.rowsProblem = null;
    } catch (error) {
      this.rowsProblem = toProblem(error);
    }
    this._changed.emit();
  }

  async older(): Promise<void> {
    if (this.more) {
      const query = { limit: 50, cursor: this.more };
      const page = await operations['datasets.history'](this._session.client, this.name, query);
      this.history = [...this.history, ...page.items];
      this.more = page.next_cursor ?? null;
      this._changed.emit();
    }
  }

  async compare(base: number, target: number): Promise<void> {
    this.diff = null;
    this._changed.emit();
    const client = this._session.client;
    this.diff = await operations['datasets.diff'](client, this.name, `v${base}`, `v${target}`);
    this._changed.emit();
  }

  async tag(tag: string, version: number, move: boolean): Promise<void> {
    const body = { version, move };
    this.dataset = await operations['datasets.tag'](this._session.client, this.name, tag, body);
    await this.refresh();
  }

  async untag(tag: string): Promise<void> {
    this.dataset = await operations['datasets.untag'](this._session.client, this.name, tag);
    await this.refresh();
  }

  async remove(): Promise<void> {
    await operations['datasets.remove'](this._session.client, this.name);
    this.removed = true;
    this._changed.emit();
  }

  dispose(): void {
    this._session.received.disconnect(this._onEvent, this);
    Signal.clearData(this);
  }

  private _onEvent(_stream: unknown, event: IEvent): void {
    if (
      event.topic.startsWith('dataset') &&
      event.subject.split('@')[0] === `dataset/${this.name}`
    ) {
      const seen = event.topic === 'dataset.policy' ? this.selected : 0;
      void this.refresh().then(() => (seen ? this.show(seen) : undefined));
    }
  }

  private readonly _changed = new Signal<this, void>(this);
}
