import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Limits, Problem, Quota, Use } from '../api/types';
import { EVERYBODY } from '../models/quotasModel';
import { Badge, Button } from './basics';
import { useEnv } from './env';
import { ProblemNote } from './problem';
import { levelTone, levelWord, limitText, parseLimit, RESOURCES, resourceWord } from './quotaWords';
import type { Resource } from './quotaWords';

interface IQuotaRow {
  quota: Quota;
  mine: boolean;
  editable: boolean;
  onSet: (limits: Limits) => Promise<void>;
  onUnset: () => Promise<void>;
}

/** Use of one user or project beside its limits; the limits are changed in the row itself. */
export function QuotaRow(props: IQuotaRow): React.ReactElement {
  const { trans } = useEnv();
  const [editing, setEditing] = React.useState(false);
  const button = React.useRef<HTMLTableCellElement>(null);
  const { quota } = props;
  if (editing) {
    const done = (): void => {
      setEditing(false);
      requestAnimationFrame(() => button.current?.querySelector('button')?.focus());
    };
    return <EditRow {...props} onDone={done} />;
  }
  return (
    <tr>
      <th scope="row">
        <Whose {...props} />
      </th>
      {RESOURCES.map(resource => (
        <td key={resource}>
          <UseCell quota={quota} resource={resource} />
        </td>
      ))}
      {props.editable ? (
        <td className="jp-dlsys-Table-actions" ref={button}>
          <Button
            label={trans.__('Change')}
            title={trans.__('Change the limits of %1', useName(quota))}
            onClick={() => setEditing(true)}
          />
        </td>
      ) : null}
    </tr>
  );
}

export function useName(quota: Quota): string {
  const { trans } = useEnv();
  if (quota.name !== EVERYBODY) {
    return quota.name;
  }
  return quota.kind === 'user' ? trans.__('Each other user') : trans.__('Each other project');
}

function Whose(props: { quota: Quota; mine: boolean }): React.ReactElement {
  const { trans } = useEnv();
  const { quota } = props;
  const by = quota.set_by ? trans.__('limits set by %1', quota.set_by) : '';
  const shared = quota.use?.length
    ? trans.__('limits of everybody')
    : trans.__('not seen here yet; limits of everybody');
  return (
    <>
      {useName(quota)}
      {props.mine ? <span className="jp-dlsys-Weak"> {trans.__('(you)')}</span> : null}
      {quota.name === EVERYBODY ? null : (
        <small className="jp-dlsys-Weak">{quota.inherited ? shared : by}</small>
      )}
    </>
  );
}

function UseCell(props: { quota: Quota; resource: Resource }): React.ReactElement {
  const { trans } = useEnv();
  const { quota, resource } = props;
  const use = (quota.use ?? []).find(item => item.resource === resource);
  if (!use) {
    const limit = limitText(quota.limits, resource);
    const unit = resource === 'storage_bytes' ? ' GB' : '';
    return limit ? (
      <>{`${limit}${unit}`}</>
    ) : (
      <span className="jp-dlsys-Weak">{trans.__('no limit')}</span>
    );
  }
  return <UseBar use={use} />;
}

/** How much is used: a bar where there is a limit, and the platform's words. */
export function UseBar(props: { use: Use }): React.ReactElement {
  const { trans } = useEnv();
  const { use } = props;
  const { limit, level = 'free' } = use;
  const word = levelWord(trans, level);
  const part = limit ? Math.min(1, use.used / limit) : use.used || limit === 0 ? 1 : 0;
  return (
    <div className={`jp-dlsys-UseBar jp-mod-${levelTone(level)}`}>
      {typeof limit === 'number' ? (
        <span
          role="meter"
          className="jp-dlsys-Bars-track"
          aria-label={resourceWord(trans, use.resource)}
          aria-valuemin={0}
          aria-valuemax={limit}
          aria-valuenow={Math.min(use.used, limit)}
          aria-valuetext={use.words}
        >
          <span className="jp-dlsys-Bars-fill" style={{ width: `${100 * part}%` }} />
        </span>
      ) : null}
      <span>
        {word ? <Badge tone={levelTone(level)} text={word} /> : null}{' '}
        <span className={level === 'free' ? 'jp-dlsys-Weak' : undefined}>{use.words}</span>
      </span>
    </div>
  );
}

function EditRow(props: IQuotaRow & { onDone: () => void }): React.ReactElement {
  const { trans } = useEnv();
  const { quota } = props;
  const [texts, setTexts] = React.useState(() =>
    RESOURCES.map(resource => limitText(quota.limits, resource))
  );
  const [busy, setBusy] = React.useState(false);
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const parsed = RESOURCES.map((resource, i) => parseLimit(texts[i] ?? '', resource));
  const form = React.useId();
  const name = useName(quota);
  const act = (work: () => Promise<void>): void => {
    setBusy(true);
    setProblem(null);
    work().then(props.onDone, error => {
      setProblem(toProblem(error));
      setBusy(false);
    });
  };
  const save = (): void => {
    const limits = Object.fromEntries(RESOURCES.map((resource, i) => [resource, parsed[i]]));
    act(() => props.onSet(limits as Limits));
  };
  return (
    <>
      <tr
        className="jp-dlsys-QuotaTable-edit"
        onKeyDown={event => event.key === 'Escape' && props.onDone()}
      >
        <th scope="row">
          <Whose {...props} />
        </th>
        {RESOURCES.map((resource, i) => (
          <td key={resource}>
            <LimitField
              form={form}
              label={trans.__('%1 of %2', resourceWord(trans, resource), name)}
              unit={resource === 'storage_bytes' ? 'GB' : ''}
              text={texts[i] ?? ''}
              wrong={parsed[i] === undefined}
              first={i === 0}
              onChange={text => setTexts(texts.map((old, at) => (at === i ? text : old)))}
            />
          </td>
        ))}
        <td className="jp-dlsys-Table-actions">
          <EditActions
            {...props}
            form={form}
            busy={busy}
            wrong={parsed.includes(undefined)}
            onSave={save}
            onRemove={() => act(props.onUnset)}
          />
        </td>
      </tr>
      {problem ? (
        <tr>
          <td colSpan={RESOURCES.length + 2}>
            <ProblemNote problem={problem} />
          </td>
        </tr>
      ) : null}
    </>
  );
}

function EditActions(props: {
  quota: Quota;
  form: string;
  busy: boolean;
  wrong: boolean;
  onSave: () => void;
  onRemove: () => void;
  onDone: () => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const { quota, busy } = props;
  return (
    <form
      id={props.form}
      className="jp-dlsys-Actions"
      onSubmit={event => {
        event.preventDefault();
        props.onSave();
      }}
    >
      <Button submit kind="primary" label={trans.__('Save')} busy={busy} disabled={props.wrong} />
      <Button kind="quiet" label={trans.__('Cancel')} onClick={props.onDone} />
      {quota.set_by && !quota.inherited ? (
        <Button
          kind="quiet"
          label={trans.__('Remove')}
          title={
            quota.name === EVERYBODY
              ? trans.__('Back to the limits of the platform’s settings')
              : trans.__('Back to the limits of everybody')
          }
          disabled={busy}
          onClick={props.onRemove}
        />
      ) : null}
    </form>
  );
}

function LimitField(props: {
  form: string;
  label: string;
  unit: string;
  text: string;
  wrong: boolean;
  first: boolean;
  onChange: (text: string) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  return (
    <span className="jp-dlsys-LimitField">
      <input
        className="jp-dlsys-Input"
        form={props.form}
        inputMode="decimal"
        autoFocus={props.first}
        aria-label={props.label}
        aria-invalid={props.wrong || undefined}
        placeholder={trans.__('no limit')}
        value={props.text}
        onChange={event => props.onChange(event.target.value)}
      />
      {props.unit}
      {props.wrong ? <small className="jp-mod-error">{trans.__('A number, please')}</small> : null}
    </span>
  );
}
