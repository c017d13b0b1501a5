import { addIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Column, Policy, PolicyRequest, Problem, Role } from '../api/types';
import { Button, Section } from './basics';
import { useTrans } from './env';
import { MaskRow, FilterRow, RoleChecks } from './policyRows';
import { ForYou, visibilityHint, visibilityWord } from './policyWords';
import { ProblemNote } from './problem';
import { listed } from './roles';

export interface IPolicyView {
  policy: Policy;
  columns: readonly Column[];
  onSave: (request: PolicyRequest) => Promise<void>;
  onCount: (where: string) => Promise<[number, number]>;
}

const VISIBILITIES = ['private', 'project', 'groups', 'organisation'] as const;

/** Who can see a dataset; who may change that does it here, others read what it means for them. */
export function PolicyView(props: IPolicyView): React.ReactElement {
  const trans = useTrans();
  const { policy } = props;
  return (
    <div className="jp-dlsys-Policy">
      <ForYou policy={policy} />
      {policy.may_change ? (
        <PolicyForm key={policy.set_at ?? ''} {...props} />
      ) : (
        <>
          <p>
            {trans.__('Who sees it: %1.', visibilityHint(trans, policy.visibility))}{' '}
            {policy.groups.length ? listed(trans, policy.groups) : ''}
          </p>
          <p className="jp-dlsys-Weak">
            {trans.__('It is changed by its owner, %1, and by maintainers.', policy.owner)}
          </p>
        </>
      )}
    </div>
  );
}

const requestOf = (policy: Policy): PolicyRequest => ({
  visibility: policy.visibility,
  groups: policy.groups,
  masks: policy.masks,
  filters: policy.filters,
  export: policy.export
});

function PolicyForm(props: IPolicyView): React.ReactElement {
  const trans = useTrans();
  const [value, setValue] = React.useState(() => requestOf(props.policy));
  const [groups, setGroups] = React.useState(props.policy.groups.join(', '));
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const [busy, setBusy] = React.useState(false);
  const change = (patch: Partial<PolicyRequest>): void => setValue({ ...value, ...patch });
  const named = groups.split(',').flatMap(name => name.trim() || []);
  const request = { ...value, groups: value.visibility === 'groups' ? named : [] };
  const changed = JSON.stringify(request) !== JSON.stringify(requestOf(props.policy));
  const save = (): void => {
    setBusy(true);
    setProblem(null);
    props
      .onSave(request)
      .catch(error => setProblem(toProblem(error)))
      .finally(() => setBusy(false));
  };
  return (
    <form
      onSubmit={event => {
        event.preventDefault();
        save();
      }}
    >
      <VisibilityChoice
        value={value.visibility}
        groups={groups}
        onChange={visibility => change({ visibility })}
        onGroups={setGroups}
      />
      <Masks value={value} columns={props.columns} change={change} />
      <Filters value={value} onCount={props.onCount} change={change} />
      <ExportChoice value={value} change={change} />
      {problem ? <ProblemNote problem={problem} /> : null}
      <div className="jp-dlsys-Actions">
        <Button submit kind="primary" label={trans.__('Save')} busy={busy} disabled={!changed} />
        <small className="jp-dlsys-Weak">
          {changed ? trans.__('Counts at once, for everybody.') : trans.__('Nothing is changed.')}
        </small>
      </div>
    </form>
  );
}

interface IPart {
  value: PolicyRequest;
  change: (patch: Partial<PolicyRequest>) => void;
}

function VisibilityChoice(props: {
  value: Policy['visibility'];
  groups: string;
  onChange: (value: Policy['visibility']) => void;
  onGroups: (text: string) => void;
}): React.ReactElement {
  const trans = useTrans();
  const name = React.useId();
  return (
    <fieldset className="jp-dlsys-Visibility">
      <legend>{trans.__('Who sees it')}</legend>
      {VISIBILITIES.map(item => (
        <label key={item}>
          <input
            type="radio"
            name={name}
            checked={item === props.value}
            onChange={() => props.onChange(item)}
          />
          <span>
            {visibilityWord(trans, item)} <small>{visibilityHint(trans, item)}</small>
          </span>
        </label>
      ))}
      {props.value === 'groups' ? (
        <input
          className="jp-dlsys-Input"
          required
          aria-label={trans.__('Groups of the hub')}
          placeholder={trans.__('names of groups, with commas between')}
          value={props.groups}
          onChange={event => props.onGroups(event.target.value)}
        />
      ) : null}
    </fieldset>
  );
}

function Masks(props: IPart & { columns: readonly Column[] }): React.ReactElement {
  const trans = useTrans();
  const { masks } = props.value;
  const left = props.columns.filter(column => !masks.some(mask => mask.column === column.name));
  return (
    <Section
      title={trans.__('Masked columns')}
      aside={
        <Button
          kind="quiet"
          icon={addIcon}
          label={trans.__('Mask a column')}
          disabled={!left.length}
          onClick={() => {
            const column = left[0]?.name ?? '';
            const added = { column, method: 'null' as const, roles: ['maintainer' as const] };
            props.change({ masks: [...masks, added] });
          }}
        />
      }
    >
      {masks.length ? null : (
        <p className="jp-dlsys-Weak">{trans.__('Whoever sees it sees all columns.')}</p>
      )}
      {masks.map((mask, i) => (
        <MaskRow
          key={i}
          mask={mask}
          columns={props.columns.filter(
            column => column.name === mask.column || left.includes(column)
          )}
          onChange={to =>
            props.change({ masks: masks.flatMap((item, j) => (i === j ? (to ?? []) : item)) })
          }
        />
      ))}
    </Section>
  );
}

function Filters(
  props: IPart & { onCount: (where: string) => Promise<[number, number]> }
): React.ReactElement {
  const trans = useTrans();
  const { filters } = props.value;
  return (
    <Section
      title={trans.__('Rows that a role sees')}
      aside={
        <Button
          kind="quiet"
          icon={addIcon}
          label={trans.__('Add a filter')}
          onClick={() =>
            props.change({ filters: [...filters, { roles: ['viewer' as const], where: '' }] })
          }
        />
      }
    >
      {filters.length ? null : (
        <p className="jp-dlsys-Weak">{trans.__('Whoever sees it sees all rows.')}</p>
      )}
      {filters.map((filter, i) => (
        <FilterRow
          key={i}
          filter={filter}
          onCount={props.onCount}
          onChange={to =>
            props.change({ filters: filters.flatMap((item, j) => (i === j ? (to ?? []) : item)) })
          }
        />
      ))}
    </Section>
  );
}

function ExportChoice(props: IPart): React.ReactElement {
  const trans = useTrans();
  const roles = props.value.export;
  const chosen = !roles ? 'all' : roles.length ? 'some' : 'none';
  const choose = (to: string): void => {
    const some: Role[] = ['data-scientist', 'maintainer'];
    props.change({ export: to === 'all' ? null : to === 'none' ? [] : some });
  };
  return (
    <Section title={trans.__('Taking it out as a file')}>
      <select
        className="jp-dlsys-Input"
        aria-label={trans.__('Who may export')}
        value={chosen}
        onChange={event => choose(event.target.value)}
      >
        <option value="all">{trans.__('All who see it may')}</option>
        <option value="some">{trans.__('Only some roles may')}</option>
        <option value="none">{trans.__('Nobody may')}</option>
      </select>
      {roles?.length ? (
        <RoleChecks
          label={trans.__('Roles that may export')}
          value={roles}
          onChange={to => props.change({ export: to })}
        />
      ) : null}
    </Section>
  );
}
