import { ServerConnection } from '@jupyterlab/services';
import * as React from 'react';

import { EmptyState, Skeleton } from '../components/basics';
import { CommitForm } from '../components/commitForm';
import type { ICommitValue, IChosenFile } from '../components/commitForm';
import { ProblemNote } from '../components/problem';
import { toProblem } from '../api/problem';
import type { Problem } from '../api/types';
import { basename } from '../models/sources';
import { commitFile, formatOf, guessKind, nameOf } from '../models/upload';
import type { IContext } from './context';
import { View } from './view';

const EXTENSIONS = ['.csv', '.jsonl', '.ndjson', '.parquet', '.arrow', '.feather', '.zip'];
const HEAD = 4096;

/** A file becomes a version of a dataset. */
export class CommitTab extends View {
  constructor(
    context: IContext,
    private readonly _dataset?: string,
    path?: string
  ) {
    super(context);
    this.follow(context.session.datasets);
    this.follow(context.session.system);
    void context.session.connect();
    if (path) {
      void this._read(path);
    }
  }

  protected body(): React.ReactElement {
    const { session, trans } = this.context;
    return (
      <div className="jp-dlsys-Page jp-mod-narrow">
        <header className="jp-dlsys-Header">
          <div className="jp-dlsys-Header-title">
            <h2>{trans.__('Commit data')}</h2>
          </div>
          <p className="jp-dlsys-Weak">
            {trans.__(
              'The rows are checked, then kept as a version that never changes. A refused commit leaves nothing behind.'
            )}
          </p>
        </header>
        {this._problem ? <ProblemNote problem={this._problem} /> : null}
        {session.system.state === 'unavailable' && session.system.problem ? (
          <ProblemNote problem={session.system.problem} onRetry={() => void session.connect()} />
        ) : session.datasets.loaded ? (
          <CommitForm
            datasets={session.datasets.items}
            dataset={this._dataset}
            file={this._file}
            onBrowse={() => this._browse()}
            onLocal={file => this._take(file.name, file)}
            onCommit={(value, progress) => this._commit(value, progress)}
          />
        ) : this._file ? (
          <EmptyState title={this._file.name} text={trans.__('Starting the system…')} />
        ) : (
          <Skeleton lines={5} height={20} />
        )}
      </div>
    );
  }

  private async _browse(): Promise<void> {
    const path = await this.context.browse(this.context.trans.__('Choose a data file'), EXTENSIONS);
    if (path) {
      await this._read(path);
    }
  }

  private async _read(path: string): Promise<void> {
    const { contents, session } = this.context;
    try {
      const url = await contents.getDownloadUrl(path);
      const response = await ServerConnection.makeRequest(
        url,
        { cache: 'no-store' },
        session.client.settings
      );
      if (!response.ok) {
        throw new ServerConnection.ResponseError(response);
      }
      await this._take(basename(path), await response.blob());
    } catch (error) {
      this._problem = toProblem(error);
      this.update();
    }
  }

  private async _take(name: string, bytes: Blob): Promise<void> {
    const head = await bytes.slice(0, HEAD).text();
    this._bytes = bytes;
    this._problem = null;
    this._file = {
      name,
      size: bytes.size,
      kind: guessKind(formatOf(name), head),
      suggestion: nameOf(name)
    };
    this.update();
  }

  private async _commit(value: ICommitValue, progress: (part: number) => void): Promise<void> {
    const { session } = this.context;
    if (!this._file || !this._bytes) {
      return;
    }
    const version = await commitFile(
      session.client,
      this._file.name,
      this._bytes,
      {
        name: value.dataset,
        create: value.create ? { kind: value.kind, description: value.description } : null,
        operation: value.operation,
        message: value.message,
        tags: value.tags,
        parent: null
      },
      (done, total) => progress(total ? done / total : 1)
    );
    this.context.open({ kind: 'dataset', name: value.dataset, version: version.version });
    (this.parent ?? this).dispose();
  }

  private _file: IChosenFile | null = null;
  private _bytes: Blob | null = null;
  private _problem: Problem | null = null;
}
