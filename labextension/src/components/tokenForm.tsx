import * as React from 'react';

import type { ServiceTokenRequest, TokenScope } from '../api/types';
import { Button, Field } from './basics';
import { useEnv } from './env';
import { scopeWord } from './words';

const SCOPES: readonly TokenScope[] = ['read', 'predict', 'write', 'submit', 'deploy'];
const DAYS: readonly (number | null)[] = [1, 30, 90, 365, null];
const USUAL_DAYS = 90;

/** What a new token is called, what it may do and for how long. */
export function TokenForm(props: {
  endpoint?: string;
  endpoints?: readonly string[];
  /** What this person may do here; without it the button knows. */
  scopes?: readonly TokenScope[];
  onIssue: (request: ServiceTokenRequest) => Promise<boolean>;
}): React.ReactElement {
  const { trans } = useEnv();
  const [name, setName] = React.useState('');
  const [endpoint, setEndpoint] = React.useState('');
  const [scopes, setScopes] = React.useState<readonly TokenScope[]>(['predict']);
  const [days, setDays] = React.useState<number | null>(USUAL_DAYS);
  const [busy, setBusy] = React.useState(false);
  const target = props.endpoint ?? endpoint;
  const mine = props.scopes ?? SCOPES;
  const wanted = target ? (['predict'] as const) : scopes.filter(scope => mine.includes(scope));
  const issue = async (): Promise<void> => {
    setBusy(true);
    const request = { name: name.trim(), scopes: [...wanted], lifetime_days: days };
    if (await props.onIssue(target ? { ...request, endpoint: target } : request)) {
      setName('');
    }
    setBusy(false);
  };
  return (
    <form
      className="jp-dlsys-TokenForm"
      aria-label={trans.__('New token')}
      onSubmit={event => {
        event.preventDefault();
        void issue();
      }}
    >
      <Field label={trans.__('A token for a program')}>
        <input
          className="jp-dlsys-Input"
          required
          maxLength={100}
          placeholder={trans.__('who will use it, e.g. web shop')}
          value={name}
          onChange={event => setName(event.target.value)}
        />
      </Field>
      {props.endpoint === undefined ? (
        <Field label={trans.__('For')}>
          <select
            className="jp-dlsys-Input"
            value={endpoint}
            onChange={event => setEndpoint(event.target.value)}
          >
            <option value="">{trans.__('the whole project')}</option>
            {(props.endpoints ?? []).map(known => (
              <option key={known} value={known}>
                {trans.__('endpoint %1', known)}
              </option>
            ))}
          </select>
        </Field>
      ) : null}
      <Lifetime days={days} onChange={setDays} />
      <Button
        submit
        kind={props.endpoint === undefined ? 'primary' : 'plain'}
        label={trans.__('Make a token')}
        busy={busy}
        disabled={wanted.length === 0}
        needs={props.scopes ? undefined : 'deployments.predict'}
      />
      {target ? null : <Scopes mine={mine} scopes={scopes} onChange={setScopes} />}
    </form>
  );
}

function Lifetime(props: {
  days: number | null;
  onChange: (days: number | null) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  return (
    <Field label={trans.__('Valid for')}>
      <select
        className="jp-dlsys-Input"
        value={props.days ?? ''}
        onChange={event => props.onChange(event.target.value ? Number(event.target.value) : null)}
      >
        {DAYS.map(value => (
          <option key={value} value={value ?? ''}>
            {value === null
              ? trans.__('until it is revoked')
              : trans._n('%1 day', '%1 days', value, value)}
          </option>
        ))}
      </select>
    </Field>
  );
}

function Scopes(props: {
  mine: readonly TokenScope[];
  scopes: readonly TokenScope[];
  onChange: (scopes: readonly TokenScope[]) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const { mine, scopes } = props;
  return (
    <fieldset className="jp-dlsys-Scopes">
      <legend>{trans.__('It may')}</legend>
      <div className="jp-dlsys-Choices">
        {SCOPES.map(scope => {
          const held = mine.includes(scope);
          const chosen = held && scopes.includes(scope);
          return (
            <label key={scope} className={chosen ? 'jp-mod-chosen' : undefined}>
              <input
                type="checkbox"
                checked={chosen}
                disabled={!held}
                onChange={event =>
                  props.onChange(
                    event.target.checked ? [...scopes, scope] : scopes.filter(one => one !== scope)
                  )
                }
              />
              <span>
                {scope}
                <small>
                  {held ? scopeWord(trans, scope) : trans.__('You may not do that here yourself.')}
                </small>
              </span>
            </label>
          );
        })}
      </div>
    </fieldset>
  );
}
