import * as React from 'react';

import { operations } from '../api/operations';
import { toProblem } from '../api/problem';
import type { InputRequest, Problem } from '../api/types';
import { Skeleton } from '../components/basics';
import { parseSplit } from '../components/inputPicker';
import { ProblemNote } from '../components/problem';
import { SubmitForm } from '../components/submitForm';
import type { ISubmitValue } from '../components/submitForm';
import { guessInput, readSource } from '../models/sources';
import type { ISource } from '../models/sources';
import type { IContext } from './context';
import { View } from './view';

/** The submit form: one required field, the notebook. */
export class SubmitTab extends View {
  constructor(
    context: IContext,
    private _path: string,
    private readonly _dataset?: string
  ) {
    super(context);
    this.follow(context.session.datasets);
    this.follow(context.session.system);
    void this._open();
  }

  protected body(): React.ReactElement {
    const { session } = this.context;
    if (session.system.state === 'unavailable' && session.system.problem) {
      return <ProblemNote problem={session.system.problem} onRetry={() => void this._open()} />;
    }
    if (!session.datasets.loaded) {
      return <Skeleton lines={6} height={20} />;
    }
    return (
      <SubmitForm
        path={this._path}
        info={this._source?.info ?? null}
        modules={(this._source?.modules ?? []).map(module => module.path)}
        guess={name => guessInput(this._source?.source.content ?? '', name)}
        problem={this._problem}
        datasets={session.datasets.items}
        gpus={session.system.workers.reduce((sum, worker) => sum + worker.gpus.length, 0)}
        dataset={this._dataset}
        onBrowse={() => this._browse()}
        onReload={() => this._read()}
        onSubmit={value => this._submit(value)}
      />
    );
  }

  private async _open(): Promise<void> {
    if (await this.context.session.connect()) {
      await this._read();
    }
  }

  private async _browse(): Promise<void> {
    const title = this.context.trans.__('Choose a notebook or script');
    const path = await this.context.browse(title, ['.ipynb', '.py']);
    if (path) {
      this._path = path;
      await this._read();
    }
  }

  private async _read(): Promise<void> {
    if (!this._path) {
      return;
    }
    this._problem = null;
    this._source = null;
    this.update();
    try {
      await this.context.save(this._path);
      const { session, contents } = this.context;
      this._source = await readSource(session.client, contents, this._path);
    } catch (error) {
      this._problem = toProblem(error);
    }
    this.update();
  }

  private async _submit(value: ISubmitValue): Promise<void> {
    const { session, contents } = this.context;
    await this.context.save(this._path);
    // the file may have changed since the form was opened: what runs is what is saved now
    const { source, modules } = await readSource(session.client, contents, this._path);
    const job = await operations['jobs.submit'](session.client, {
      source,
      modules,
      name: value.name,
      parameters: value.parameters,
      inputs: inputsOf(value),
      resources: {
        cpus: value.cpus,
        gpus: value.gpus,
        memory_bytes: value.memoryGb ? Math.round(value.memoryGb * 1e9) : null
      },
      timeout_seconds: value.timeoutMinutes ? value.timeoutMinutes * 60 : null
    });
    this.context.open({ kind: 'job', id: job.id });
    (this.parent ?? this).dispose();
  }

  private _source: ISource | null = null;
  private _problem: Problem | null = null;
}

function inputsOf(value: ISubmitValue): Record<string, InputRequest> {
  const bound = Object.entries(value.inputs).filter(([, input]) => input.dataset);
  return Object.fromEntries(
    bound.map(([name, input]) => [
      name,
      {
        dataset: input.version ? `${input.dataset}@${input.version}` : input.dataset,
        split: parseSplit(input.split) ?? null,
        where: input.where || null,
        seed: input.seed
      }
    ])
  );
}
