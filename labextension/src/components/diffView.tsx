import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Column, Diff, Problem, VersionSummary } from '../api/types';
import { Button, EmptyState, Section } from './basics';
import { useEnv } from './env';
import { count } from './format';
import { ProblemNote } from './problem';
import { DataTable } from './rowsTable';

interface IDiffView {
  history: readonly VersionSummary[];
  selected: number;
  version: { columns: Column[] } | null;
  diff: Diff | null;
  onCompare: (base: number, target: number) => Promise<void>;
}

export function DiffView(props: IDiffView): React.ReactElement {
  const { trans } = useEnv();
  const target0 = props.selected;
  const [base, setBase] = React.useState(Math.max(1, target0 - 1));
  const [target, setTarget] = React.useState(target0);
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const [busy, setBusy] = React.useState(false);
  React.useEffect(() => {
    if (base === target) {
      return;
    }
    let live = true;
    setBusy(true);
    setProblem(null);
    props
      .onCompare(base, target)
      .catch(error => live && setProblem(toProblem(error)))
      .finally(() => live && setBusy(false));
    return () => {
      live = false;
    };
  }, [base, target]);
  const { diff } = props;
  return (
    <>
      <div className="jp-dlsys-Toolbar">
        <VersionSelect
          label={trans.__('From')}
          history={props.history}
          value={base}
          onChange={setBase}
        />
        <span aria-hidden="true">→</span>
        <VersionSelect
          label={trans.__('To')}
          history={props.history}
          value={target}
          onChange={setTarget}
        />
        <Button
          kind="quiet"
          label={trans.__('Swap')}
          onClick={() => {
            setBase(target);
            setTarget(base);
          }}
        />
        {busy ? (
          <span className="jp-dlsys-Spinner" role="status" aria-label={trans.__('Comparing…')} />
        ) : null}
      </div>
      {problem ? <ProblemNote problem={problem} /> : null}
      {base === target ? (
        <EmptyState
          title={trans.__('Choose two versions')}
          text={trans.__('The same version does not differ from itself.')}
        />
      ) : diff && diff.base === base && diff.target === target ? (
        <DiffBody diff={diff} columns={props.version?.columns ?? []} />
      ) : null}
    </>
  );
}

function VersionSelect(props: {
  label: string;
  history: readonly VersionSummary[];
  value: number;
  onChange: (version: number) => void;
}): React.ReactElement {
  return (
    <select
      className="jp-dlsys-Input"
      aria-label={props.label}
      value={props.value}
      onChange={event => props.onChange(Number(event.target.value))}
    >
      {props.history.map(version => (
        <option key={version.version} value={version.version}>
          {`v${version.version} ${version.message}`.slice(0, 50)}
        </option>
      ))}
    </select>
  );
}

function DiffBody(props: { diff: Diff; columns: Column[] }): React.ReactElement {
  const { trans } = useEnv();
  const { diff } = props;
  return (
    <>
      <p className="jp-dlsys-DiffSum">
        <ins>{trans._n('+%1 row', '+%1 rows', diff.rows_added, count(diff.rows_added))}</ins>
        <del>{trans._n('−%1 row', '−%1 rows', diff.rows_removed, count(diff.rows_removed))}</del>
        <span>
          {count(diff.statistics_before.rows)} → {count(diff.statistics_after.rows)}
        </span>
      </p>
      {diff.schema_changes?.length ? (
        <Section title={trans.__('Columns')}>
          <ul>
            {diff.schema_changes.map(change => (
              <li key={change.column}>
                <code>{change.column}</code> {change.change}{' '}
                {[change.before, change.after].filter(Boolean).join(' → ')}
              </li>
            ))}
          </ul>
        </Section>
      ) : null}
      {diff.label_changes?.length ? <LabelChanges diff={diff} /> : null}
      <DiffRows
        title={trans.__('Added')}
        className="jp-mod-added"
        rows={diff.added ?? []}
        columns={props.columns}
      />
      <DiffRows
        title={trans.__('Removed')}
        className="jp-mod-removed"
        rows={diff.removed ?? []}
        columns={props.columns}
      />
    </>
  );
}

function LabelChanges(props: { diff: Diff }): React.ReactElement {
  const { trans } = useEnv();
  return (
    <Section title={trans.__('Labels')}>
      <table className="jp-dlsys-Table">
        <tbody>
          {props.diff.label_changes?.map(change => (
            <tr key={change.label}>
              <td>
                <span className="jp-dlsys-Chip">{change.label}</span>
              </td>
              <td className="jp-mod-number">{count(change.before)}</td>
              <td aria-hidden="true">→</td>
              <td className="jp-mod-number">{count(change.after)}</td>
              <td className="jp-mod-number">
                {change.after >= change.before ? (
                  <ins>+{count(change.after - change.before)}</ins>
                ) : (
                  <del>−{count(change.before - change.after)}</del>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

function DiffRows(props: {
  title: string;
  className: string;
  rows: Record<string, unknown>[];
  columns: Column[];
}): React.ReactElement | null {
  const { trans } = useEnv();
  return props.rows.length ? (
    <Section title={props.title} aside={<small>{trans.__('a sample')}</small>}>
      <div className="jp-dlsys-Scroll">
        <DataTable columns={props.columns} rows={props.rows} className={props.className} />
      </div>
    </Section>
  ) : null;
}
