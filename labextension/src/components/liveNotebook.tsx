import { launchIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ICell, IJobState } from '../models/jobState';
import { Button, EmptyState } from './basics';
import { useEnv } from './env';
import { duration } from './format';
import { MimeBundle } from './mimeOutput';
import { Outputs } from './outputView';
import { WidgetContext } from './widgetStates';

interface ILiveNotebook {
  state: IJobState;
  /** Events of a long history read so far; 0 when all are. */
  reading: number;
  tooLarge: boolean;
  onOpen: () => Promise<void>;
}

/** The notebook as it runs: sources, and outputs as they come. */
export function LiveNotebook(props: ILiveNotebook): React.ReactElement {
  const { trans } = useEnv();
  const { state } = props;
  const [past, setPast] = React.useState<number | null>(null);
  const widgets = React.useMemo(() => new Map(state.widgets), [state, state.widgetRevision]);
  const chosen = state.past.find(item => item.number === past)?.cells ?? state.cells;
  const cells = [...chosen.values()].sort((a, b) => a.index - b.index);
  if (cells.length === 0) {
    return (
      <EmptyState
        title={trans.__('Not started yet')}
        text={trans.__('Cells appear here, with their outputs, as they run.')}
      />
    );
  }
  return (
    <WidgetContext.Provider value={widgets}>
      <NotebookBar {...props} cells={cells} past={past} onPast={setPast} />
      <div className="jp-dlsys-Notebook">
        {cells.map(cell => (
          <CellView key={cell.index} cell={cell} revision={cell.revision} />
        ))}
      </div>
    </WidgetContext.Provider>
  );
}

function NotebookBar(
  props: ILiveNotebook & {
    cells: readonly ICell[];
    past: number | null;
    onPast: (number: number | null) => void;
  }
): React.ReactElement {
  const { trans } = useEnv();
  const [busy, setBusy] = React.useState(false);
  const ref = React.useRef<HTMLDivElement>(null);
  const { state } = props;
  const goToRunning = (): void => {
    const cell = ref.current?.parentElement?.querySelector('.jp-dlsys-Cell.jp-mod-running');
    cell?.scrollIntoView({ block: 'center', behavior: 'auto' });
  };
  const open = (): void => {
    setBusy(true);
    void props.onOpen().finally(() => setBusy(false));
  };
  return (
    <div className="jp-dlsys-Toolbar" ref={ref}>
      {state.past.length > 0 ? (
        <label>
          {trans.__('Attempt')}{' '}
          <select
            value={props.past ?? ''}
            onChange={event => props.onPast(Number(event.target.value) || null)}
          >
            <option value="">{trans.__('%1 (now)', state.attempt)}</option>
            {[...state.past].reverse().map(item => (
              <option key={item.number} value={item.number}>
                {item.number}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      {props.cells.some(cell => cell.state === 'running') ? (
        <Button kind="quiet" label={trans.__('Go to the running cell')} onClick={goToRunning} />
      ) : null}
      <Button
        kind="quiet"
        icon={launchIcon}
        label={trans.__('Open as a notebook')}
        title={trans.__('A copy of the notebook so far, in the folder that the file browser shows')}
        busy={busy}
        onClick={open}
      />
      {props.reading > 0 ? (
        <span className="jp-dlsys-Weak" role="status">
          {trans.__('Reading what happened before: %1 events…', props.reading.toLocaleString())}
        </span>
      ) : null}
      {props.tooLarge ? (
        <span className="jp-dlsys-Weak">
          {trans.__('Outputs are shortened here: the notebook is large. Open it to see all.')}
        </span>
      ) : null}
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
          <Outputs outputs={cell.outputs} />
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
