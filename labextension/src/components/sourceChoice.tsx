import { notebookIcon, refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { NotebookInfo, Problem } from '../api/types';
import { Badge, Button, EmptyState, Skeleton } from './basics';
import { useEnv } from './env';
import { ProblemNote } from './problem';

export interface ISourceChoice {
  path: string;
  info: NotebookInfo | null;
  problem: Problem | null;
  onBrowse: () => Promise<void>;
  onReload: () => Promise<void>;
}

/** A page about one file that can be run: which it is, then what `children` make of it. */
export function SourcePage(
  props: ISourceChoice & {
    title: string;
    text: string;
    children: (info: NotebookInfo) => React.ReactNode;
  }
): React.ReactElement {
  const { trans } = useEnv();
  return (
    <div className="jp-dlsys-Page jp-mod-narrow">
      <header className="jp-dlsys-Header">
        <div className="jp-dlsys-Header-title">
          <h2>{props.title}</h2>
          {props.info ? <Badge text={props.info.kernel ?? props.info.language} /> : null}
        </div>
        <p className="jp-dlsys-Weak">{props.text}</p>
      </header>
      {props.path ? (
        <div className="jp-dlsys-Toolbar">
          <notebookIcon.react tag="span" className="jp-dlsys-Button-icon" />
          <strong className="jp-dlsys-Path">{props.path}</strong>
          <Button
            kind="quiet"
            iconOnly
            icon={refreshIcon}
            label={trans.__('Read the file again')}
            onClick={() => void props.onReload()}
          />
          <Button
            kind="quiet"
            label={trans.__('Choose another…')}
            onClick={() => void props.onBrowse()}
          />
        </div>
      ) : (
        <EmptyState
          icon={notebookIcon}
          title={trans.__('Which notebook?')}
          text={trans.__('A notebook or a Python script from the file browser.')}
        >
          <Button
            kind="primary"
            label={trans.__('Choose a file…')}
            onClick={() => void props.onBrowse()}
          />
        </EmptyState>
      )}
      {props.problem ? (
        <ProblemNote problem={props.problem} onRetry={() => void props.onReload()} />
      ) : null}
      {props.path && !props.info && !props.problem ? <Skeleton lines={6} height={18} /> : null}
      {props.info ? (
        <React.Fragment key={props.path}>{props.children(props.info)}</React.Fragment>
      ) : null}
    </div>
  );
}
