import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Problem } from '../api/types';
import { Badge, Button, Skeleton } from './basics';
import { useEnv } from './env';
import { ProblemNote } from './problem';
import type { Tone } from './words';

export interface IListState<T> {
  items: readonly T[];
  loaded: boolean;
  more: boolean;
  problem: Problem | null;
}

/** A section of the panel: it folds, and tells of its list. */
export function Group(props: {
  title: string;
  count: number;
  live?: string;
  tone?: Tone;
  list: IListState<unknown>;
  empty: React.ReactNode;
  action?: { icon: LabIcon; label: string; needs?: string; run: () => void };
  children: React.ReactNode;
}): React.ReactElement {
  const { trans } = useEnv();
  const [open, setOpen] = React.useState(true);
  const id = React.useId();
  const Caret = open ? caretDownIcon : caretRightIcon;
  const { list } = props;
  return (
    <section className="jp-dlsys-Group" aria-labelledby={id}>
      <header>
        <button type="button" aria-expanded={open} data-row onClick={() => setOpen(!open)}>
          <Caret.react tag="span" className="jp-dlsys-Caret" />
          <span id={id}>{props.title}</span>
          <span className="jp-dlsys-Count">{props.count}</span>
          {props.live ? <Badge tone={props.tone ?? 'busy'} text={props.live} /> : null}
        </button>
        {props.action ? (
          <Button
            kind="quiet"
            iconOnly
            icon={props.action.icon}
            label={props.action.label}
            needs={props.action.needs}
            onClick={props.action.run}
          />
        ) : null}
      </header>
      {!open ? null : list.problem ? (
        <ProblemNote problem={list.problem} />
      ) : !list.loaded ? (
        <Skeleton lines={2} height={18} />
      ) : list.items.length === 0 ? (
        props.empty
      ) : (
        <ul>{props.children}</ul>
      )}
      {list.more ? <p className="jp-dlsys-Weak">{trans.__('Only the newest are shown.')}</p> : null}
    </section>
  );
}
