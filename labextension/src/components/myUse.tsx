import * as React from 'react';

import type { ILimited } from '../models/limitedUse';
import { Badge, Go } from './basics';
import { useEnv } from './env';
import { levelTone, levelWord } from './quotaWords';

/** What one has used of what one may, in a line; nothing where there is no limit. */
export function MyUse(props: { limits: readonly ILimited[] }): React.ReactElement | null {
  const { trans, open } = useEnv();
  if (props.limits.length === 0) {
    return null;
  }
  return (
    <p className="jp-dlsys-MyUse" role="note" aria-label={trans.__('Your use')}>
      <Go onClick={() => open({ kind: 'admin', part: 'quotas' })}>{trans.__('Your use')}</Go>
      {props.limits.map(({ whose, use }) => {
        const level = use.level ?? 'free';
        const word = levelWord(trans, level);
        return (
          <span key={`${whose.kind} ${use.resource}`}>
            {whose.kind === 'project' ? `${whose.name}: ` : ''}
            {use.words} {word ? <Badge tone={levelTone(level)} text={word} /> : null}
          </span>
        );
      })}
    </p>
  );
}
