import * as React from 'react';

import type { ICell } from '../models/jobState';
import { EmptyState } from './basics';
import { useEnv } from './env';
import { duration } from './format';
import { MimeBundle, OutputView } from './mimeOutput';

/** The notebook as it runs: sources, and outputs as they come. */
export function LiveNotebook(props: { cells: readonly ICell[] }): React.ReactElement {
  const { trans } = useEnv();
  if (props.cells.length === 0) {
    return (
      <EmptyState
        title={trans.__('Not started yet')}
        text={trans.__('Cells appear here, with their outputs, as they run.')}
      />
    );
  }
  return (
    <div className="jp-dlsys-Notebook">
      {props.cells.map(cell => (
        <CellView key={cell.index} cell={cell} revision={cell.revision} />
      ))}
    </div>
  );
}

const CellView = React.memo(
  (props: { cell: ICell; revision: number }): React.ReactElement => {
    const { cell } = props;
    const source = React.useMemo(
      () => ({ 'text/markdown': cell.type === 'markdown' ? cell.source : fenced(cell.source) }),
      [cell.source, cell.type]
    );
    return (
      <article className={`jp-dlsys-Cell jp-mod-${cell.type} jp-mod-${cell.state}`}>
        {cell.type === 'code' ? <CellMargin cell={cell} /> : <span />}
        <div className="jp-dlsys-Cell-body">
          {cell.source ? <MimeBundle data={source} className="jp-dlsys-Cell-source" /> : null}
          {cell.outputs.map((output, i) => (
            <OutputView key={i} output={output} />
          ))}
        </div>
      </article>
    );
  },
  (before, after) => before.revision === after.revision && before.cell === after.cell
);

function CellMargin(props: { cell: ICell }): React.ReactElement {
  const { trans } = useEnv();
  const { cell } = props;
  const word = {
    waiting: '',
    running: trans.__('running'),
    done: cell.seconds === null ? '' : duration(cell.seconds),
    failed: trans.__('failed')
  }[cell.state];
  return (
    <span className="jp-dlsys-Cell-margin">
      {cell.state === 'running' ? <span className="jp-dlsys-Spinner" aria-hidden="true" /> : null}
      {word}
    </span>
  );
}

/** Source as a Markdown code block, so that the host's own highlighter colours it. */
function fenced(source: string): string {
  const longest = Math.max(2, ...[...source.matchAll(/`+/g)].map(match => match[0].length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}python\n${source}\n${fence}`;
}
