import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Member, Problem, Project, Role } from '../api/types';
import type { IChange } from '../models/membersModel';
import { Button, Field, useWhyNot } from './basics';
import { useEnv, useTrans } from './env';
import { ago } from './format';
import { ProblemNote } from './problem';
import { listed, roleHint, ROLES, roleWord } from './roles';

export interface IMembersView {
  project: Project | null;
  members: readonly Member[];
  last: IChange | null;
  onChange: (who: Pick<Member, 'kind' | 'name'>, role: Role | null) => Promise<void>;
  onUndo: () => Promise<void>;
}

/** Who is in a project; its maintainers change it here, others see whom to ask. */
export function MembersView(props: IMembersView): React.ReactElement {
  const { trans } = useEnv();
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const refused = useWhyNot('projects.add_member');
  const maintainers = props.members.filter(member => member.role === 'maintainer');
  const act = (work: Promise<void>): void => {
    setProblem(null);
    work.catch(error => setProblem(toProblem(error)));
  };
  return (
    <div className="jp-dlsys-Members">
      <p>
        {maintainers.length
          ? trans._n(
              '%2 maintains this project.',
              '%2 maintain this project.',
              maintainers.length,
              listed(
                trans,
                maintainers.map(member => member.name)
              )
            )
          : trans.__('The administrators of the platform maintain this project.')}{' '}
        {props.project?.role ? (
          <>
            {trans.__('You are in it as')} <strong>{roleWord(trans, props.project.role)}</strong>:{' '}
            {roleHint(trans, props.project.role)}
          </>
        ) : null}
      </p>
      {refused ? <p className="jp-dlsys-Weak">{trans.__('To change this: %1', refused)}</p> : null}
      {problem ? <ProblemNote problem={problem} /> : null}
      {props.last ? <LastChange change={props.last} onUndo={() => act(props.onUndo())} /> : null}
      <div className="jp-dlsys-Scroll">
        <table className="jp-dlsys-Table jp-mod-roomy">
          <thead>
            <tr>
              <th>{trans.__('Who')}</th>
              <th>{trans.__('Role')}</th>
              <th>{trans.__('Since')}</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {props.members.map(member => (
              <MemberRow
                key={`${member.kind}/${member.name}`}
                member={member}
                mayChange={!refused}
                only={maintainers.length === 1 && member.role === 'maintainer'}
                onChange={role => act(props.onChange(member, role))}
              />
            ))}
          </tbody>
        </table>
      </div>
      {refused ? null : (
        <AddForm members={props.members} onAdd={(who, role) => act(props.onChange(who, role))} />
      )}
    </div>
  );
}

function LastChange(props: { change: IChange; onUndo: () => void }): React.ReactElement {
  const trans = useTrans();
  const { name, now, before } = props.change;
  const text = !now
    ? trans.__('%1 is out of the project.', name)
    : before
      ? trans.__('%1: from %2 to %3.', name, roleWord(trans, before), roleWord(trans, now))
      : trans.__('%1 is now %2.', name, roleWord(trans, now));
  return (
    <div className="jp-dlsys-Undo" role="status">
      {text} <Button kind="quiet" label={trans.__('Undo')} onClick={props.onUndo} />
    </div>
  );
}

function MemberRow(props: {
  member: Member;
  mayChange: boolean;
  /** The project's last maintainer, who stays. */
  only: boolean;
  onChange: (role: Role | null) => void;
}): React.ReactElement {
  const trans = useTrans();
  const { member, only } = props;
  const why = trans.__('The last maintainer stays: make somebody else a maintainer first.');
  return (
    <tr>
      <td>
        {member.name}{' '}
        {member.kind === 'group' ? (
          <small className="jp-dlsys-Tagline">{trans.__('group of the hub')}</small>
        ) : null}
      </td>
      <td title={roleHint(trans, member.role)}>
        {props.mayChange ? (
          <RoleSelect
            label={trans.__('Role of %1', member.name)}
            value={member.role}
            refused={only ? why : ''}
            onChange={props.onChange}
          />
        ) : (
          roleWord(trans, member.role)
        )}
      </td>
      <td title={trans.__('by %1', member.added_by)}>{ago(member.added_at)}</td>
      <td className="jp-dlsys-Table-actions">
        {props.mayChange ? (
          <Button
            kind="quiet"
            iconOnly
            icon={closeIcon}
            label={trans.__('Remove %1', member.name)}
            refused={only ? why : ''}
            onClick={() => props.onChange(null)}
          />
        ) : null}
      </td>
    </tr>
  );
}

function RoleSelect(props: {
  label?: string;
  id?: string;
  value: Role;
  refused?: string;
  onChange: (role: Role) => void;
}): React.ReactElement {
  const trans = useTrans();
  return (
    <select
      id={props.id}
      className="jp-dlsys-Input"
      aria-label={props.label}
      disabled={!!props.refused}
      title={props.refused || roleHint(trans, props.value)}
      value={props.value}
      onChange={event => props.onChange(event.target.value as Role)}
    >
      {ROLES.map(role => (
        <option key={role} value={role}>
          {roleWord(trans, role)}
        </option>
      ))}
    </select>
  );
}

function AddForm(props: {
  members: readonly Member[];
  onAdd: (who: Pick<Member, 'kind' | 'name'>, role: Role) => void;
}): React.ReactElement {
  const trans = useTrans();
  const [kind, setKind] = React.useState<Member['kind']>('user');
  const [name, setName] = React.useState('');
  const [role, setRole] = React.useState<Role>('data-scientist');
  const there = props.members.find(member => member.kind === kind && member.name === name.trim());
  return (
    <form
      className="jp-dlsys-Add"
      onSubmit={event => {
        event.preventDefault();
        props.onAdd({ kind, name: name.trim() }, role);
        setName('');
      }}
    >
      <Field label={trans.__('Add')}>
        <select
          className="jp-dlsys-Input"
          value={kind}
          onChange={event => setKind(event.target.value as Member['kind'])}
        >
          <option value="user">{trans.__('a person')}</option>
          <option value="group">{trans.__('a group of the hub')}</option>
        </select>
      </Field>
      <Field
        label={kind === 'user' ? trans.__('User name') : trans.__('Name of the group')}
        hint={there ? trans.__('Is in it as %1.', roleWord(trans, there.role)) : undefined}
      >
        <input
          className="jp-dlsys-Input"
          required
          maxLength={200}
          value={name}
          onChange={event => setName(event.target.value)}
        />
      </Field>
      <Field label={trans.__('Role')} hint={roleHint(trans, role)}>
        <RoleSelect value={role} onChange={setRole} />
      </Field>
      <Button
        submit
        kind="primary"
        label={there ? trans.__('Change') : trans.__('Add')}
        disabled={!name.trim()}
      />
    </form>
  );
}
