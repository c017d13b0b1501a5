import * as React from 'react';

import type { ICell } from '../models/jobState';
import { useEnv } from './env';
import { duration } from './format';

/** One block a code cell: what is done, what runs, what is to come. */
export function CellStrip(props: { cells: readonly ICell[] }): React.ReactElement {
  const { trans } = useEnv();
  const code = props.cells.filter(cell => cell.type === 'code');
  const words = {
    waiting: trans.__('to come'),
    running: trans.__('running'),
    done: trans.__('done'),
    failed: trans.__('failed')
  };
  return (
    <ol className="jp-dlsys-Strip" aria-label={trans.__('Cells')}>
      {code.map((cell, i) => {
        const time = cell.seconds === null ? '' : ` · ${duration(cell.seconds)}`;
        const label = trans.__('Cell %1: %2%3', i + 1, words[cell.state], time);
        return (
          <li
            key={cell.index}
            className={`jp-mod-${cell.state}`}
            title={label}
            aria-label={label}
          />
        );
      })}
    </ol>
  );
}
