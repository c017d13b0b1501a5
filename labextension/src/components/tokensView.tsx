import * as React from 'react';

import { toProblem } from '../api/problem';
import type { IssuedServiceToken, Problem, ServiceToken, ServiceTokenRequest } from '../api/types';
import { Badge, Button, Field } from './basics';
import { useEnv } from './env';
import { ago, moment } from './format';
import { ProblemNote } from './problem';
import { Code } from './snippets';
import { tokenWord } from './words';

/** Tokens of programs; a new one is shown once and kept nowhere. */
export function TokensView(props: {
  tokens: readonly ServiceToken[];
  onIssue: (request: ServiceTokenRequest) => Promise<IssuedServiceToken>;
  onRevoke: (id: string) => Promise<void>;
}): React.ReactElement {
  const { trans } = useEnv();
  const [name, setName] = React.useState('');
  const [issued, setIssued] = React.useState<IssuedServiceToken | null>(null);
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const act = (work: Promise<unknown>): void => {
    setProblem(null);
    work.catch(error => setProblem(toProblem(error)));
  };
  return (
    <div className="jp-dlsys-TokensView">
      <form
        className="jp-dlsys-Inline"
        onSubmit={event => {
          event.preventDefault();
          act(
            props
              .onIssue({ name })
              .then(setIssued)
              .then(() => setName(''))
          );
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
        <Button submit label={trans.__('Make a token')} />
      </form>
      {problem ? <ProblemNote problem={problem} /> : null}
      {issued ? (
        <div className="jp-dlsys-Issued" role="status">
          <p>{trans.__('Copy the token of “%1” now: it is shown only this once.', issued.name)}</p>
          <Code text={issued.token} />
          <Button kind="quiet" label={trans.__('I have it')} onClick={() => setIssued(null)} />
        </div>
      ) : null}
      {props.tokens.length ? (
        <table className="jp-dlsys-Table">
          <thead>
            <tr>
              <th>{trans.__('Token')}</th>
              <th>{trans.__('Made')}</th>
              <th>{trans.__('Valid until')}</th>
              <th>{trans.__('Last used')}</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {props.tokens.map(token => (
              <tr key={token.id}>
                <td title={trans.__('Made by %1', token.owner)}>
                  {token.name}{' '}
                  {token.state === 'active' ? null : <Badge text={tokenWord(trans, token.state)} />}
                </td>
                <td title={moment(token.created_at)}>{ago(token.created_at)}</td>
                <td>{token.expires_at ? moment(token.expires_at) : trans.__('for ever')}</td>
                <td>{token.last_used_at ? ago(token.last_used_at) : trans.__('never')}</td>
                <td>
                  <Button
                    kind="quiet"
                    label={trans.__('Revoke')}
                    onClick={() => act(props.onRevoke(token.id))}
                  />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
    </div>
  );
}
