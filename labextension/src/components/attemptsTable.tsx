import * as React from 'react';

import type { Attempt } from '../api/types';
import { Badge } from './basics';
import { useEnv } from './env';
import { ago, bytes, duration, moment } from './format';
import { jobTone, jobWord, startWord } from './words';

/** All tries of a job, and what ended each. */
export function AttemptsTable(props: { attempts: readonly Attempt[] }): React.ReactElement {
  const { trans } = useEnv();
  return (
    <table className="jp-dlsys-Table">
      <thead>
        <tr>
          <th className="jp-mod-number">{trans.__('Attempt')}</th>
          <th>{trans.__('State')}</th>
          <th>{trans.__('Why')}</th>
          <th>{trans.__('Started')}</th>
          <th>{trans.__('Took')}</th>
          <th>{trans.__('Memory limit')}</th>
          <th>{trans.__('Went on from')}</th>
        </tr>
      </thead>
      <tbody>
        {props.attempts.map(attempt => (
          <tr key={attempt.number}>
            <td className="jp-mod-number">{attempt.number}</td>
            <td>
              <Badge tone={jobTone(attempt.state)} text={jobWord(trans, attempt.state)} />
            </td>
            <td>{attempt.reason}</td>
            <td title={attempt.started_at ? moment(attempt.started_at) : undefined}>
              {[attempt.started_at ? ago(attempt.started_at) : '', startWord(trans, attempt.start)]
                .filter(Boolean)
                .join(', ')}
            </td>
            <td>{took(attempt)}</td>
            <td>{attempt.memory_bytes ? bytes(attempt.memory_bytes) : ''}</td>
            <td>
              {attempt.checkpoint === null || attempt.checkpoint === undefined
                ? ''
                : trans.__('checkpoint of step %1', attempt.checkpoint)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function took(attempt: Attempt): string {
  const { started_at: start, finished_at: end } = attempt;
  return start && end ? duration((Date.parse(end) - Date.parse(start)) / 1000) : '';
}
