import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Limits, Problem, Quota, QuotaKind } from '../api/types';
import { EVERYBODY } from '../models/quotasModel';
import { Button, EmptyState, Section } from './basics';
import { useEnv } from './env';
import { ProblemNote } from './problem';
import { RESOURCES, resourceWord } from './quotaWords';
import { QuotaRow, useName } from './quotaRow';

const SHOWN = 100;
const TIGHT: ReadonlySet<string> = new Set(['near', 'full']);

export interface IQuotasView {
  quotas: readonly Quota[];
  user: string;
  /** May change limits. */
  administrator: boolean;
  /** What the last change replaced. */
  before: Quota | null;
  onSet: (quota: Quota, limits: Limits) => Promise<void>;
  onUnset: (quota: Quota) => Promise<void>;
  onUndo: () => Promise<void>;
}

/** Who may use how much and does; administrators change it in place. */
export function QuotasView(props: IQuotasView): React.ReactElement {
  const { trans } = useEnv();
  const { quotas, administrator } = props;
  const [filter, setFilter] = React.useState('');
  const [tight, setTight] = React.useState(false);
  const wanted = filter.trim().toLowerCase();
  const others = quotas.filter(
    quota =>
      quota.name !== EVERYBODY &&
      quota.name.toLowerCase().includes(wanted) &&
      (!tight || (quota.use ?? []).some(use => TIGHT.has(use.level ?? '')))
  );
  const of = (kind: QuotaKind): Quota[] => others.filter(quota => quota.kind === kind);
  const users = of('user');
  const newcomer = administrator && !tight ? newcomerOf(filter.trim(), quotas) : null;
  return (
    <div className="jp-dlsys-Quotas">
      {props.before ? <Undo {...props} before={props.before} /> : null}
      {administrator ? (
        <>
          <Section title={trans.__('For everybody without limits of their own')}>
            <QuotaTable {...props} rows={quotas.filter(quota => quota.name === EVERYBODY)} />
          </Section>
          <div className="jp-dlsys-Toolbar">
            <input
              type="search"
              className="jp-dlsys-Input"
              aria-label={trans.__('Filter users and projects')}
              placeholder={trans.__('Filter, or name somebody new')}
              value={filter}
              onChange={event => setFilter(event.target.value)}
            />
            <label>
              <input
                type="checkbox"
                checked={tight}
                onChange={event => setTight(event.target.checked)}
              />
              {trans.__('Only near or full')}
            </label>
          </div>
        </>
      ) : null}
      <Section title={administrator ? trans.__('Users') : trans.__('Your use')}>
        <QuotaTable {...props} rows={newcomer ? [...users, newcomer] : users} />
      </Section>
      <Section title={administrator ? trans.__('Projects') : trans.__('Your projects')}>
        <QuotaTable {...props} rows={of('project')} />
      </Section>
    </div>
  );
}

/** Somebody who has used nothing yet is in no list, and can be given limits by name. */
function newcomerOf(name: string, quotas: readonly Quota[]): Quota | null {
  const users = quotas.filter(quota => quota.kind === 'user');
  const everybody = users.find(quota => quota.name === EVERYBODY);
  const known = users.some(quota => quota.name === name);
  return name && everybody && !known
    ? { ...everybody, name, inherited: true, set_by: '', use: [] }
    : null;
}

function QuotaTable(props: IQuotasView & { rows: readonly Quota[] }): React.ReactElement {
  const { trans } = useEnv();
  const { rows } = props;
  if (rows.length === 0) {
    return (
      <EmptyState title={trans.__('Nothing to show')} text={trans.__('Nobody fits the filter.')} />
    );
  }
  return (
    <div className="jp-dlsys-Scroll">
      <table className="jp-dlsys-Table jp-mod-roomy jp-dlsys-QuotaTable">
        <thead>
          <tr>
            <th aria-label={trans.__('Name')} />
            {RESOURCES.map(resource => (
              <th key={resource}>{resourceWord(trans, resource)}</th>
            ))}
            {props.administrator ? <th aria-label={trans.__('Actions')} /> : null}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, SHOWN).map(quota => (
            <QuotaRow
              key={`${quota.kind} ${quota.name}`}
              quota={quota}
              mine={quota.kind === 'user' && quota.name === props.user}
              editable={props.administrator}
              onSet={limits => props.onSet(quota, limits)}
              onUnset={() => props.onUnset(quota)}
            />
          ))}
        </tbody>
      </table>
      {rows.length > SHOWN ? (
        <p className="jp-dlsys-Weak">{trans.__('%1 more: filter by name.', rows.length - SHOWN)}</p>
      ) : null}
    </div>
  );
}

function Undo(props: IQuotasView & { before: Quota }): React.ReactElement {
  const { trans } = useEnv();
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const { before } = props;
  const name = useName(before);
  return (
    <>
      <div className="jp-dlsys-Issued jp-dlsys-QuotaUndo" role="status">
        <span>{trans.__('%1: limits changed.', name)}</span>
        <Button
          label={trans.__('Undo')}
          onClick={() => {
            setProblem(null);
            props.onUndo().catch(error => setProblem(toProblem(error)));
          }}
        />
      </div>
      {problem ? <ProblemNote problem={problem} /> : null}
    </>
  );
}
