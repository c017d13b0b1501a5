import * as React from 'react';

import { toProblem } from '../api/problem';
import type {
  IssuedServiceToken,
  Problem,
  ServiceToken,
  ServiceTokenRequest,
  TokenScope
} from '../api/types';
import { Badge, Button, EmptyState } from './basics';
import { Confirm } from './confirm';
import { useEnv } from './env';
import { ago, moment, until } from './format';
import { ProblemNote } from './problem';
import { Code } from './snippets';
import { TokenForm } from './tokenForm';
import { tokenTone, tokenWord } from './words';

export interface ITokensView {
  tokens: readonly ServiceToken[];
  /** All tokens are for this endpoint; without one they are of the whole project. */
  endpoint?: string;
  /** Endpoints that a new token can be for. */
  endpoints?: readonly string[];
  /** What this person may do, and so may let a program do. */
  scopes?: readonly TokenScope[];
  onIssue: (request: ServiceTokenRequest) => Promise<IssuedServiceToken>;
  onRevoke: (id: string) => Promise<void>;
}

/** Tokens of programs; a new one is shown once and kept nowhere. */
export function TokensView(props: ITokensView): React.ReactElement {
  const { trans } = useEnv();
  const [issued, setIssued] = React.useState<IssuedServiceToken | null>(null);
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const issue = async (request: ServiceTokenRequest): Promise<boolean> => {
    setProblem(null);
    try {
      setIssued(await props.onIssue(request));
      return true;
    } catch (error) {
      setProblem(toProblem(error));
      return false;
    }
  };
  return (
    <div className="jp-dlsys-TokensView">
      <TokenForm {...props} onIssue={issue} />
      {problem ? <ProblemNote problem={problem} /> : null}
      {issued ? <Issued issued={issued} onDone={() => setIssued(null)} /> : null}
      {props.tokens.length ? (
        <TokensTable {...props} onProblem={setProblem} />
      ) : props.endpoint ? null : (
        <EmptyState
          title={trans.__('No token yet')}
          text={trans.__(
            'A program that calls the platform by itself needs one; it can never do more than you.'
          )}
        />
      )}
    </div>
  );
}

function Issued(props: { issued: IssuedServiceToken; onDone: () => void }): React.ReactElement {
  const { trans } = useEnv();
  const ref = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    ref.current?.scrollIntoView({ block: 'nearest' }); // gives a promise in newer browsers: no cleanup
  }, []);
  return (
    <div className="jp-dlsys-Issued" role="status" ref={ref}>
      <p>
        {trans.__('Copy the token of “%1” now: it is shown only this once.', props.issued.name)}
      </p>
      <Code text={props.issued.token} />
      <div>
        <Button label={trans.__('I have it')} onClick={props.onDone} />
      </div>
    </div>
  );
}

function TokensTable(
  props: ITokensView & { onProblem: (problem: Problem | null) => void }
): React.ReactElement {
  const { trans } = useEnv();
  const whole = props.endpoint === undefined;
  return (
    <div className="jp-dlsys-Scroll">
      <table className="jp-dlsys-Table jp-mod-roomy">
        <thead>
          <tr>
            <th>{trans.__('Token')}</th>
            <th>{trans.__('Owner')}</th>
            {whole ? <th>{trans.__('May')}</th> : null}
            <th>{trans.__('Made')}</th>
            <th>{trans.__('Valid until')}</th>
            <th>{trans.__('Last used')}</th>
            <th>{trans.__('State')}</th>
            <th aria-label={trans.__('Actions')} />
          </tr>
        </thead>
        <tbody>
          {props.tokens.map(token => (
            <TokenRow key={token.id} {...props} token={token} whole={whole} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function TokenRow(
  props: ITokensView & {
    token: ServiceToken;
    whole: boolean;
    onProblem: (problem: Problem | null) => void;
  }
): React.ReactElement {
  const { trans } = useEnv();
  const [sure, setSure] = React.useState(false);
  const { token } = props;
  const revoke = (): void => {
    setSure(false);
    props.onProblem(null);
    props.onRevoke(token.id).catch(error => props.onProblem(toProblem(error)));
  };
  return (
    <tr>
      <td>
        <strong>{token.name}</strong>
      </td>
      <td>{token.owner}</td>
      {props.whole ? <td>{<May token={token} />}</td> : null}
      <td title={moment(token.created_at)}>{ago(token.created_at)}</td>
      <td title={token.expires_at ? moment(token.expires_at) : undefined}>
        {token.expires_at ? validity(token.expires_at) : trans.__('until revoked')}
      </td>
      <td title={token.last_used_at ? moment(token.last_used_at) : undefined}>
        {token.last_used_at ? ago(token.last_used_at) : trans.__('never')}
      </td>
      <td>
        <Badge
          tone={tokenTone(token.state ?? 'active')}
          text={tokenWord(trans, token.state ?? 'active')}
        />
      </td>
      <td className="jp-dlsys-Table-actions">
        {sure ? (
          <Confirm
            title={trans.__('Revoke %1', token.name)}
            text={trans.__('Programs that use it stop working at once.')}
            yes={trans.__('Revoke it')}
            no={trans.__('Keep it')}
            onYes={revoke}
            onNo={() => setSure(false)}
          />
        ) : (
          <Button
            kind="quiet"
            label={trans.__('Revoke…')}
            title={trans.__('Revoke %1', token.name)}
            onClick={() => setSure(true)}
          />
        )}
      </td>
    </tr>
  );
}

const validity = (time: string): string =>
  Date.parse(time) > Date.now() ? until(time) : ago(time);

function May(props: { token: ServiceToken }): React.ReactElement {
  const { trans, open } = useEnv();
  const { token } = props;
  const { endpoint } = token;
  return (
    <span className="jp-dlsys-Chips">
      {token.scopes.map(scope => (
        <Badge key={scope} text={scope} />
      ))}
      {endpoint ? (
        <button
          type="button"
          className="jp-dlsys-Go"
          onClick={() => open({ kind: 'endpoint', name: endpoint, project: token.project })}
        >
          {trans.__('on %1', endpoint)}
        </button>
      ) : null}
    </span>
  );
}
