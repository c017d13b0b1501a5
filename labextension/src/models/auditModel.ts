import { operations } from '../api/operations';
import type { AuditEntry, AuditReport, IAuditFilter, Outcome } from '../api/types';
import { TabModel } from './tabModel';

export type Within = '' | '1h' | '24h' | '7d' | '30d' | 'between';
export type FileFormat = 'csv' | 'jsonl';

/** What somebody wants to see of the log, as they typed it. */
export interface IQuestion {
  who: string;
  project: string;
  what: string;
  outcome: Outcome | '';
  text: string;
  within: Within;
  /** As a field of date and time gives it, for `between`. */
  from: string;
  to: string;
}

export const ANYTHING: IQuestion = {
  who: '',
  project: '',
  what: '',
  outcome: '',
  text: '',
  within: '',
  from: '',
  to: ''
};
export const AUDIT_PAGE = 50;
const LIVE_MS = 5000;
const TYPING_MS = 350;
const HOURS: Partial<Record<Within, number>> = { '1h': 1, '24h': 24, '7d': 168, '30d': 720 };

/** Pages of the audit log, the newest first. The first page is live while no entry is open. */
export class AuditModel extends TabModel {
  loaded = false;
  /** What is asked for has not come yet. */
  busy = false;
  entries: readonly AuditEntry[] = [];
  question: IQuestion = ANYTHING;
  /** Number of the entry whose details are shown. */
  shown: number | null = null;
  report: AuditReport | null = null;

  /** Pages before this one. */
  get page(): number {
    return this._cursors.length;
  }

  get more(): boolean {
    return this._next !== null;
  }

  /** Change what is looked for; while somebody types, only the last change costs a request. */
  ask(change: Partial<IQuestion>): void {
    this.question = { ...this.question, ...change };
    this._cursors = [];
    this.shown = null;
    this.busy = true;
    this.tell();
    clearTimeout(this._typing);
    this._typing = window.setTimeout(() => void this.refresh(), TYPING_MS);
  }

  show(seq: number | null): void {
    this.shown = seq;
    this.tell();
  }

  older(): Promise<void> {
    return this._next === null || this.busy
      ? Promise.resolve()
      : this._turn([...this._cursors, this._next]);
  }

  newer(): Promise<void> {
    if (this.busy) {
      return Promise.resolve(); // the page on show is not the one that was asked for
    }
    return this._turn(this._cursors.slice(0, -1));
  }

  /** Look for new entries again and again while `visible` says that somebody looks. */
  look(visible: () => boolean): void {
    clearInterval(this._poll);
    this._poll = window.setInterval(() => {
      const still = this.page === 0 && this.shown === null && !this.busy;
      if (this.loaded && still && document.visibilityState === 'visible' && visible()) {
        void this.refresh();
      }
    }, LIVE_MS);
  }

  async verify(): Promise<void> {
    this.report = null;
    this.report = await operations['audit.verify'](this.session.client);
    this.tell();
  }

  /** All that the filters leave, as a file. */
  async export(format: FileFormat): Promise<Blob> {
    const query = { ...filterOf(this.question), format };
    return (await operations['audit.export'](this.session.client, query)).blob();
  }

  override dispose(): void {
    clearInterval(this._poll);
    clearTimeout(this._typing);
    super.dispose();
  }

  protected async load(): Promise<void> {
    const { question, _cursors: cursors } = this;
    try {
      const page = await operations['audit.list'](this.session.client, {
        ...filterOf(question),
        limit: AUDIT_PAGE,
        cursor: cursors[cursors.length - 1]
      });
      if (question === this.question && cursors === this._cursors) {
        this.entries = page.items;
        this._next = page.next_cursor ?? null;
        this.busy = false;
      }
      this.loaded = true;
    } catch (error) {
      this.busy = false;
      throw error;
    }
  }

  private _turn(cursors: string[]): Promise<void> {
    this._cursors = cursors;
    this.shown = null;
    this.busy = true;
    this.tell();
    return this.refresh();
  }

  private _cursors: string[] = [];
  private _next: string | null = null;
  private _poll = 0;
  private _typing = 0;
}

/** The question as the API wants it. */
export function filterOf(question: IQuestion, now = Date.now()): IAuditFilter {
  const { within } = question;
  const hours = HOURS[within];
  const [from, to] = within === 'between' ? [question.from, question.to] : ['', ''];
  const since = hours ? new Date(now - hours * 3_600_000).toISOString() : instant(from);
  const wanted: IAuditFilter = {
    actor: question.who.trim(),
    project: question.project,
    operation: question.what.trim(),
    text: question.text.trim(),
    since,
    until: instant(to)
  };
  return question.outcome ? { ...wanted, outcome: question.outcome } : wanted;
}

/** A field of date and time has the clock of this browser. */
function instant(local: string): string {
  const time = local ? new Date(local) : null;
  return time && !Number.isNaN(time.getTime()) ? time.toISOString() : '';
}
