import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Column, ColumnMask, Role, RowFilter } from '../api/types';
import { Button, Field } from './basics';
import { useTrans } from './env';
import { count } from './format';
import { ROLES, roleWord } from './roles';

/** Some of the roles. */
export function RoleChecks(props: {
  label: string;
  value: readonly Role[];
  onChange: (value: Role[]) => void;
}): React.ReactElement {
  const trans = useTrans();
  return (
    <fieldset className="jp-dlsys-RoleChecks">
      <legend>{props.label}</legend>
      {ROLES.map(role => (
        <label key={role}>
          <input
            type="checkbox"
            checked={props.value.includes(role)}
            onChange={event =>
              props.onChange(
                ROLES.filter(item =>
                  item === role ? event.target.checked : props.value.includes(item)
                )
              )
            }
          />
          {roleWord(trans, role)}
        </label>
      ))}
    </fieldset>
  );
}

export function MaskRow(props: {
  mask: ColumnMask;
  columns: readonly Column[];
  onChange: (mask: ColumnMask | null) => void;
}): React.ReactElement {
  const trans = useTrans();
  const { mask } = props;
  const change = (patch: Partial<ColumnMask>): void => props.onChange({ ...mask, ...patch });
  const words: Record<ColumnMask['method'], string> = {
    null: trans.__('no value (∅)'),
    redact: trans.__('••• for every text'),
    hash: trans.__('a code, the same for equal values')
  };
  const text = props.columns.find(column => column.name === mask.column)?.type.includes('string');
  return (
    <div className="jp-dlsys-PolicyRow">
      <Field label={trans.__('Column')}>
        <select
          className="jp-dlsys-Input"
          value={mask.column}
          onChange={event => change({ column: event.target.value, method: 'null' })}
        >
          {props.columns.map(column => (
            <option key={column.name}>{column.name}</option>
          ))}
        </select>
      </Field>
      <Field label={trans.__('Others see')}>
        <select
          className="jp-dlsys-Input"
          value={mask.method}
          onChange={event => change({ method: event.target.value as ColumnMask['method'] })}
        >
          {(['null', 'redact', 'hash'] as const).map(method => (
            <option key={method} value={method} disabled={method === 'redact' && !text}>
              {words[method]}
            </option>
          ))}
        </select>
      </Field>
      <RoleChecks
        label={trans.__('Who sees the values')}
        value={mask.roles}
        onChange={roles => change({ roles })}
      />
      <Button
        kind="quiet"
        iconOnly
        icon={closeIcon}
        label={trans.__('Unmask %1', mask.column)}
        onClick={() => props.onChange(null)}
      />
    </div>
  );
}

export function FilterRow(props: {
  filter: RowFilter;
  onCount: (where: string) => Promise<[number, number]>;
  onChange: (filter: RowFilter | null) => void;
}): React.ReactElement {
  const trans = useTrans();
  const { filter } = props;
  const [told, setTold] = React.useState('');
  const [wrong, setWrong] = React.useState('');
  const check = async (): Promise<void> => {
    setTold('');
    setWrong('');
    if (!filter.where.trim()) {
      return;
    }
    try {
      const [some, all] = await props.onCount(filter.where);
      setTold(trans.__('%1 of %2 rows', count(some), count(all)));
    } catch (error) {
      setWrong(toProblem(error).detail);
    }
  };
  return (
    <div className="jp-dlsys-PolicyRow">
      <Field
        label={trans.__('Sees only rows where')}
        hint={told || trans.__("e.g. country == 'DE' and age >= 18")}
        error={wrong || undefined}
      >
        <input
          className="jp-dlsys-Input jp-mod-code"
          required
          value={filter.where}
          onChange={event => props.onChange({ ...filter, where: event.target.value })}
          onBlur={() => void check()}
        />
      </Field>
      <RoleChecks
        label={trans.__('For')}
        value={filter.roles}
        onChange={roles => props.onChange({ ...filter, roles })}
      />
      <Button
        kind="quiet"
        iconOnly
        icon={closeIcon}
        label={trans.__('Remove this filter')}
        onClick={() => props.onChange(null)}
      />
    </div>
  );
}
