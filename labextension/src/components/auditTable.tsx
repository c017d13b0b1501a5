import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { AuditEntry } from '../api/types';
import type { IQuestion } from '../models/auditModel';
import { Badge, Button, Facts, Go } from './basics';
import { useEnv } from './env';
import { instant } from './format';
import { outcomeTone, outcomeWord } from './words';

interface IAuditTable {
  entries: readonly AuditEntry[];
  shown: number | null;
  onShow: (seq: number | null) => void;
  onAsk: (change: Partial<IQuestion>) => void;
}

/** Entries of the log; one of them with all that is known of it. */
export function AuditTable(props: IAuditTable): React.ReactElement {
  const { trans } = useEnv();
  return (
    <div className="jp-dlsys-Scroll">
      <table className="jp-dlsys-Table jp-dlsys-AuditTable">
        <thead>
          <tr>
            <th>{trans.__('Time')}</th>
            <th>{trans.__('Who')}</th>
            <th>{trans.__('Operation')}</th>
            <th>{trans.__('Project')}</th>
            <th>{trans.__('Path')}</th>
            <th>{trans.__('Outcome')}</th>
          </tr>
        </thead>
        <tbody>
          {props.entries.map(entry => (
            <Entry
              key={entry.seq}
              entry={entry}
              open={entry.seq === props.shown}
              onShow={props.onShow}
              onAsk={props.onAsk}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface IEntry {
  entry: AuditEntry;
  open: boolean;
  onShow: (seq: number | null) => void;
  onAsk: (change: Partial<IQuestion>) => void;
}

function Entry(props: IEntry): React.ReactElement {
  const { trans } = useEnv();
  const { entry, open } = props;
  const id = React.useId();
  const Caret = open ? caretDownIcon : caretRightIcon;
  const turn = (): void => props.onShow(open ? null : entry.seq);
  return (
    <>
      <tr className={`jp-mod-${entry.outcome}${open ? ' jp-mod-open' : ''}`} onClick={turn}>
        <td>
          <button
            type="button"
            className="jp-dlsys-Fold-button"
            aria-expanded={open}
            aria-controls={open ? id : undefined}
            title={trans.__('Entry %1: show all that is known', entry.seq)}
            onClick={event => {
              event.stopPropagation();
              turn();
            }}
          >
            <Caret.react tag="span" className="jp-dlsys-Caret" />
            {instant(entry.at)}
          </button>
        </td>
        <td>
          <Who entry={entry} />
        </td>
        <td>
          <code>{entry.operation}</code>
        </td>
        <td>{entry.project}</td>
        <td className="jp-dlsys-AuditTable-path" title={entry.target}>
          {entry.target}
        </td>
        <td>
          <Badge
            tone={outcomeTone(entry.outcome)}
            text={`${MARKS[entry.outcome]} ${outcomeWord(trans, entry.outcome)}`}
            title={entry.code}
          />
        </td>
      </tr>
      {open ? (
        <tr id={id} className="jp-dlsys-AuditTable-detail">
          <td colSpan={6}>
            <Detail {...props} />
          </td>
        </tr>
      ) : null}
    </>
  );
}

const MARKS: Record<AuditEntry['outcome'], string> = { allowed: '✓', refused: '⊘', failed: '✕' };

/** Who sat there, and in whose name it was done. */
function Who({ entry }: { entry: AuditEntry }): React.ReactElement {
  const { trans } = useEnv();
  const kind =
    entry.kind === 'job'
      ? trans.__('a job')
      : entry.kind === 'service' && !entry.actor.startsWith('program ')
        ? trans.__('a program')
        : '';
  return (
    <>
      {entry.actor}
      {kind ? <span className="jp-dlsys-Weak">{` · ${kind}`}</span> : null}
      {entry.behalf_of ? (
        <strong className="jp-dlsys-Behalf">
          {` ${trans.__('on behalf of %1', entry.behalf_of)}`}
        </strong>
      ) : null}
    </>
  );
}

function Detail({ entry, onAsk }: IEntry): React.ReactElement {
  const { trans, open, copy } = useEnv();
  const { job, ...others } = (entry.detail ?? {}) as Record<string, unknown>;
  return (
    <div className="jp-dlsys-AuditDetail">
      <Facts
        items={[
          [trans.__('Number'), entry.seq],
          [trans.__('Time'), new Date(entry.at).toISOString()],
          [trans.__('Who'), <Who key="w" entry={entry} />],
          [
            trans.__('Job'),
            typeof job === 'string' ? (
              <Go
                key="j"
                onClick={() => open({ kind: 'job', id: job, project: entry.project ?? '' })}
              >
                {job}
              </Go>
            ) : (
              ''
            )
          ],
          [trans.__('Answer'), [entry.status, entry.code].filter(Boolean).join(' ')],
          [
            trans.__('From'),
            entry.source === 'local' ? trans.__('this machine') : (entry.source ?? '')
          ],
          [trans.__('Request'), <code key="r">{entry.request_id}</code>],
          [trans.__('Path'), <code key="p">{entry.target}</code>],
          [
            trans.__('More'),
            Object.keys(others).length ? <code key="d">{JSON.stringify(others)}</code> : ''
          ],
          [trans.__('Hash'), <code key="h">{entry.hash}</code>]
        ]}
      />
      <div className="jp-dlsys-Actions">
        <Button
          label={trans.__('Only %1', entry.actor)}
          onClick={() => onAsk({ who: entry.actor })}
        />
        <Button
          label={trans.__('Only %1', entry.operation)}
          onClick={() => onAsk({ what: entry.operation })}
        />
        <Button
          kind="quiet"
          label={trans.__('Copy the entry')}
          onClick={() => copy(JSON.stringify(entry, null, 2))}
        />
      </div>
    </div>
  );
}
