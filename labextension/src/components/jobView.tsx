import { launchIcon, stopIcon, treeViewIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { TERMINAL } from '../api/types';
import type { Artifact, Job } from '../api/types';
import type { IJobState } from '../models/jobState';
import { Badge, Button, Facts, Go, Skeleton } from './basics';
import { CellStrip } from './cellStrip';
import { CopyMenu } from './copyMenu';
import { useEnv } from './env';
import { ago, bytes, duration, metric, moment } from './format';
import { FilesList } from './filesList';
import { JobInputs } from './jobInputs';
import { LiveNotebook } from './liveNotebook';
import { LogView } from './logView';
import { Tabs } from './tabs';
import { jobTone, jobWord } from './words';

const Curves = React.lazy(() => import('./curves'));

export interface IJobView {
  job: Job;
  state: IJobState;
  artifacts: readonly Artifact[];
  onCancel: () => Promise<void>;
  onDownload: (path: string) => Promise<void>;
}

export function JobView(props: IJobView): React.ReactElement {
  const { trans } = useEnv();
  const { job, state } = props;
  const cells = [...state.cells.values()].sort((a, b) => a.index - b.index);
  const curves = {
    id: 'curves',
    label: trans.__('Curves'),
    count: state.metrics.size,
    render: () => (
      <React.Suspense fallback={<Skeleton lines={5} height={24} />}>
        <Curves metrics={[...state.metrics.values()]} live={!TERMINAL.has(job.state)} />
      </React.Suspense>
    )
  };
  const notebook = {
    id: 'notebook',
    label: trans.__('Notebook'),
    render: () => <LiveNotebook cells={cells} />
  };
  return (
    <div className="jp-dlsys-Page">
      <JobHeader {...props} />
      {job.kind === 'notebook' && cells.length ? <CellStrip cells={cells} /> : null}
      <Tabs
        label={trans.__('What to see of this job')}
        tabs={[
          curves,
          ...(job.kind === 'notebook' ? [notebook] : []),
          {
            id: 'log',
            label: trans.__('Log'),
            render: () => <LogView text={state.log} live={!TERMINAL.has(job.state)} />
          },
          {
            id: 'inputs',
            label: trans.__('Inputs and environment'),
            render: () => <JobInputs job={job} />
          },
          {
            id: 'files',
            label: trans.__('Files'),
            count: props.artifacts.length,
            render: () => <FilesList artifacts={props.artifacts} onDownload={props.onDownload} />
          }
        ]}
      />
    </div>
  );
}

function JobHeader(props: IJobView): React.ReactElement {
  const { trans } = useEnv();
  const { job } = props;
  const done = TERMINAL.has(job.state);
  return (
    <header className="jp-dlsys-Header">
      <div className="jp-dlsys-Header-title">
        <h2>{job.name}</h2>
        <Badge tone={jobTone(job.state)} text={jobWord(trans, job.state)} />
        <Elapsed job={job} />
        {!done && job.progress.total && job.kind === 'notebook' ? (
          <span className="jp-dlsys-Elapsed">
            {trans.__('cell %1 of %2', job.progress.done, job.progress.total)}
          </span>
        ) : null}
      </div>
      <p
        className={`jp-dlsys-Reason${job.state === 'failed' || job.state === 'lost' ? ' jp-mod-bad' : ''}`}
        aria-live="polite"
      >
        {job.reason}
        {job.queue_position ? ` ${trans.__('Place %1 in the queue.', job.queue_position)}` : ''}
      </p>
      {!done && job.progress.total && job.kind === 'script' ? (
        <div className="jp-dlsys-ProgressLine">
          <progress
            value={job.progress.done}
            max={job.progress.total}
            aria-label={trans.__('Progress')}
          />
          <span className="jp-mod-number">
            {trans.__('%1 of %2', job.progress.done, job.progress.total)}
          </span>
        </div>
      ) : null}
      <JobFacts
        job={job}
        phase={done || props.state.phase === 'running' ? '' : props.state.phase}
      />
      <JobActions {...props} />
    </header>
  );
}

function JobFacts(props: { job: Job; phase: string }): React.ReactElement {
  const { trans, open } = useEnv();
  const { job } = props;
  const metrics = Object.entries(job.metrics ?? {}).slice(0, 6);
  return (
    <Facts
      items={[
        ...metrics.map(([key, value]): [string, React.ReactNode] => [key, metric(value)]),
        [
          trans.__('Models'),
          job.models?.length
            ? job.models.map(ref => (
                <Go
                  key={ref}
                  onClick={() => open({ kind: 'model', name: ref.split('@')[0] ?? ref })}
                >
                  {ref}
                </Go>
              ))
            : ''
        ],
        [trans.__('Doing'), props.phase.replace(/-/g, ' ')],
        [trans.__('Source'), job.source],
        [
          trans.__('Submitted'),
          <time key="t" dateTime={job.created_at} title={moment(job.created_at)}>
            {ago(job.created_at)}
          </time>
        ],
        [trans.__('By'), job.owner],
        [trans.__('Attempt'), job.attempt > 1 ? job.attempt : ''],
        [
          trans.__('Memory limit'),
          job.resources.memory_bytes ? bytes(job.resources.memory_bytes) : ''
        ]
      ]}
    />
  );
}

function JobActions(props: IJobView): React.ReactElement {
  const { trans, open } = useEnv();
  const [busy, setBusy] = React.useState(false);
  const { job } = props;
  const cancel = (): void => {
    setBusy(true);
    void props.onCancel().finally(() => setBusy(false));
  };
  return (
    <div className="jp-dlsys-Actions">
      {TERMINAL.has(job.state) ? null : (
        <Button
          kind="danger"
          icon={stopIcon}
          label={trans.__('Cancel')}
          busy={busy}
          disabled={job.state === 'cancelling'}
          onClick={cancel}
        />
      )}
      {job.run_id ? (
        <Button
          icon={launchIcon}
          label={trans.__('Run in MLflow')}
          onClick={() => open({ kind: 'run', run: job.run_id ?? '' })}
        />
      ) : null}
      <Button
        icon={treeViewIcon}
        label={trans.__('Lineage')}
        onClick={() => open({ kind: 'lineage', ref: `job/${job.id}` })}
      />
      <CopyMenu
        copies={{
          magic: `%dlsys jobs show ${job.id}`,
          cli: `dlsys jobs show ${job.id}`,
          python: `import jupyter_dlsys as dlsys\n\njob = dlsys.connect().jobs.show("${job.id}")`
        }}
      />
    </div>
  );
}

/** Time since the start, counting while the job runs. */
function Elapsed(props: { job: Job }): React.ReactElement | null {
  const { job } = props;
  const [now, setNow] = React.useState(Date.now());
  const running = !!job.started_at && !job.finished_at;
  React.useEffect(() => {
    if (running) {
      const timer = window.setInterval(() => setNow(Date.now()), 1000);
      return () => clearInterval(timer);
    }
    return undefined;
  }, [running]);
  if (!job.started_at) {
    return null;
  }
  const end = job.finished_at
    ? Date.parse(job.finished_at)
    : Math.max(now, Date.parse(job.started_at));
  return (
    <span className="jp-dlsys-Elapsed">{duration((end - Date.parse(job.started_at)) / 1000)}</span>
  );
}
