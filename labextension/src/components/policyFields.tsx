import * as React from 'react';

import type { Schedule } from '../api/types';
import { Field } from './basics';
import { useEnv } from './env';
import { missedWord, overlapWord } from './words';

export type IPolicies = Pick<Schedule, 'missed' | 'overlap'>;

/** What happens to a firing that was missed, or that finds the last job still there. */
export function PolicyFields(props: {
  value: IPolicies;
  change: (patch: Partial<IPolicies>) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const missed: IPolicies['missed'][] = ['last', 'all', 'skip'];
  const overlap: IPolicies['overlap'][] = ['queue', 'skip', 'replace'];
  return (
    <div className="jp-dlsys-Grid jp-mod-wide">
      <Field label={trans.__('Times while the system was off')}>
        <select
          className="jp-dlsys-Input"
          value={props.value.missed}
          onChange={event => props.change({ missed: event.target.value as IPolicies['missed'] })}
        >
          {missed.map(key => (
            <option key={key} value={key}>
              {missedWord(trans, key)}
            </option>
          ))}
        </select>
      </Field>
      <Field label={trans.__('When the last job still runs')}>
        <select
          className="jp-dlsys-Input"
          value={props.value.overlap}
          onChange={event => props.change({ overlap: event.target.value as IPolicies['overlap'] })}
        >
          {overlap.map(key => (
            <option key={key} value={key}>
              {overlapWord(trans, key)}
            </option>
          ))}
        </select>
      </Field>
    </div>
  );
}
