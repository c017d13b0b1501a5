import * as React from 'react';

import type { FieldProblem, Problem } from '../api/types';
import { Button, Skeleton } from './basics';
import { useTrans } from './env';

const SHOWN = 50;

/** An error: what happened, what to do next, and where in the data it is. */
export function ProblemNote(props: { problem: Problem; onRetry?: () => void }): React.ReactElement {
  const trans = useTrans();
  const { problem } = props;
  return (
    <div className="jp-dlsys-Problem" role="alert">
      <strong>{problem.detail}</strong>
      {problem.hint ? <p>{problem.hint}</p> : null}
      {problem.errors?.length ? <FieldProblems errors={problem.errors} /> : null}
      <div className="jp-dlsys-Actions">
        {props.onRetry ? <Button label={trans.__('Try again')} onClick={props.onRetry} /> : null}
        {problem.request_id ? <small>{trans.__('Request %1', problem.request_id)}</small> : null}
      </div>
    </div>
  );
}

function FieldProblems(props: { errors: FieldProblem[] }): React.ReactElement {
  const trans = useTrans();
  const inData = props.errors.some(error => error.row !== null && error.row !== undefined);
  if (!inData) {
    return (
      <ul>
        {props.errors.slice(0, SHOWN).map((error, i) => (
          <li key={i}>
            {error.field || error.column ? <code>{error.field || error.column}</code> : null}{' '}
            {error.message}
          </li>
        ))}
      </ul>
    );
  }
  return (
    <div className="jp-dlsys-Scroll">
      <table className="jp-dlsys-Table">
        <thead>
          <tr>
            <th>{trans.__('Row')}</th>
            <th>{trans.__('Column')}</th>
            <th>{trans.__('What is wrong')}</th>
            <th>{trans.__('Expected')}</th>
            <th>{trans.__('Found')}</th>
          </tr>
        </thead>
        <tbody>
          {props.errors.slice(0, SHOWN).map((error, i) => (
            <tr key={i}>
              <td className="jp-mod-number">{error.row}</td>
              <td>
                <code>{error.column}</code>
              </td>
              <td>{error.message}</td>
              <td>{error.expected}</td>
              <td>
                <code>{error.got}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Content that is loading, failed, or there. */
export function Loaded(props: {
  ready: boolean;
  problem: Problem | null;
  onRetry: () => void;
  children: () => React.ReactNode;
}): React.ReactElement {
  if (props.ready) {
    return (
      <>
        {props.problem ? <ProblemNote problem={props.problem} onRetry={props.onRetry} /> : null}
        {props.children()}
      </>
    );
  }
  return props.problem ? (
    <ProblemNote problem={props.problem} onRetry={props.onRetry} />
  ) : (
    <Skeleton lines={6} height={18} />
  );
}
