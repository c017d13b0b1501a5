import * as React from 'react';

import { operations } from '../api/operations';
import { toProblem } from '../api/problem';
import { TERMINAL } from '../api/types';
import type { Finding, NotebookInfo, Place, PreflightReport, Problem } from '../api/types';
import { Skeleton } from '../components/basics';
import { ProblemNote } from '../components/problem';
import { guessInput, readSource } from '../models/sources';
import type { ISource } from '../models/sources';
import { submissionOf } from '../models/submission';
import type { ISubmitValue } from '../models/submission';
import type { IContext } from './context';
import { View } from './view';

const SETTLE_MS = 600;

/** A form about a notebook or script: reads it, follows its changes, checks what is made of it. */
export abstract class SourceTab extends View {
  constructor(
    context: IContext,
    protected path: string
  ) {
    super(context);
    const { session } = context;
    [session.datasets, session.shared, session.jobs, session.system].forEach(model =>
      this.follow(model)
    );
    void this._open();
  }

  override dispose(): void {
    clearTimeout(this._timer);
    this._unwatch?.();
    super.dispose();
  }

  protected body(): React.ReactElement {
    const { session } = this.context;
    if (session.system.state === 'unavailable' && session.system.problem) {
      return <ProblemNote problem={session.system.problem} onRetry={() => void this._open()} />;
    }
    return session.datasets.loaded ? this.form() : <Skeleton lines={6} height={20} />;
  }

  protected abstract form(): React.ReactElement;

  /** What the form needs of the file and of the platform. */
  protected get fields(): {
    path: string;
    info: NotebookInfo | null;
    problem: Problem | null;
    revision: number;
    modules: string[];
    datasets: IContext['session']['datasets']['items'];
    jobs: IContext['session']['jobs']['items'];
    gpus: number;
    guess: (name: string) => { dataset: string; split: string };
    onBrowse: () => Promise<void>;
    onReload: () => Promise<void>;
    onCheck: (value: ISubmitValue, signal: AbortSignal) => Promise<PreflightReport>;
    onReveal: (place: Place) => void;
    onMend: (finding: Finding) => void;
  } {
    const { session, documents } = this.context;
    return {
      path: this.path,
      info: this._source?.info ?? null,
      problem: this._problem,
      revision: this._revision,
      modules: (this._source?.modules ?? []).map(module => module.path),
      datasets: session.inputs,
      jobs: session.jobs.items.filter(job => !TERMINAL.has(job.state)),
      gpus: session.system.workers.reduce((sum, worker) => sum + worker.gpus.length, 0),
      guess: name => guessInput(this._source?.source.content ?? '', name),
      onBrowse: () => this._browse(),
      onReload: () => this._read(true),
      onCheck: (value, signal) => this._check(value, signal),
      onReveal: place => void documents.reveal(this.path, place),
      onMend: finding => void this._mend(finding)
    };
  }

  /** The file as it is saved now, after saving what is open: what runs is what was seen. */
  protected async saved(): Promise<ISource> {
    const { session, contents } = this.context;
    await this.context.save(this.path);
    return readSource(session.client, contents, this.path);
  }

  /** Close the whole tab. */
  protected leave(): void {
    (this.parent ?? this).dispose();
  }

  private async _open(): Promise<void> {
    if (await this.context.session.connect()) {
      await this._read(true);
    }
  }

  private async _browse(): Promise<void> {
    const title = this.context.trans.__('Choose a notebook or script');
    const path = await this.context.browse(title, ['.ipynb', '.py']);
    if (path) {
      this.path = path;
      await this._read(true);
    }
  }

  /** Read the file, with what is not saved yet; `anew` shows that it is read. */
  private async _read(anew: boolean): Promise<void> {
    if (!this.path) {
      return;
    }
    const { session, contents, documents } = this.context;
    if (anew) {
      this._problem = null;
      this._source = null;
      this.update();
      this._unwatch?.();
      this._unwatch = documents.watch(this.path, () => this._readSoon());
    }
    try {
      const text = documents.text(this.path);
      this._source = await readSource(session.client, contents, this.path, text);
      this._problem = null;
      this._revision++;
    } catch (error) {
      this._problem = toProblem(error);
    }
    this.update();
  }

  private _readSoon(): void {
    clearTimeout(this._timer);
    this._timer = window.setTimeout(() => void this._read(false), SETTLE_MS);
  }

  private _check(value: ISubmitValue, signal: AbortSignal): Promise<PreflightReport> {
    const source = this._source ?? { source: { path: this.path, content: '' }, modules: [] };
    const { client } = this.context.session;
    return operations['jobs.preflight'](client, submissionOf(source, value), signal);
  }

  private async _mend({ place, fix }: Finding): Promise<void> {
    if (!place || !fix) {
      return;
    }
    try {
      await this.context.documents.mend(this.path, place, fix);
    } catch (error) {
      this._problem = toProblem(error);
      this.update();
    }
    this._readSoon();
  }

  private _source: ISource | null = null;
  private _problem: Problem | null = null;
  private _revision = 0;
  private _timer = 0;
  private _unwatch: (() => void) | null = null;
}
