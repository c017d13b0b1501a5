import { launchIcon, refreshIcon, stopIcon, treeViewIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { TERMINAL } from '../api/types';
import type { Job } from '../api/types';
import { Badge, Button, Facts, Go } from './basics';
import { CopyMenu } from './copyMenu';
import { useEnv } from './env';
import { ago, bytes, duration, metric, moment } from './format';
import { jobTone, jobWord, startWord } from './words';

export interface IJobHeader {
  job: Job;
  phase: string;
  /** Asked to stop, and no answer yet. */
  stopping: boolean;
  hints: readonly string[];
  onCancel: () => Promise<void>;
  onRetry: () => Promise<void>;
}

/** State with its reason, what is known of the job, and what can be done. */
export function JobHeader(props: IJobHeader): React.ReactElement {
  const { trans } = useEnv();
  const { job } = props;
  const done = TERMINAL.has(job.state);
  const state = props.stopping && !done ? 'cancelling' : job.state;
  return (
    <header className="jp-dlsys-Header">
      <div className="jp-dlsys-Header-title">
        <h2>{job.name}</h2>
        <Badge tone={jobTone(state)} text={jobWord(trans, state)} />
        <Elapsed job={job} />
        {!done && job.progress.total && job.kind === 'notebook' ? (
          <span className="jp-dlsys-Elapsed">
            {trans.__('cell %1 of %2', job.progress.done, job.progress.total)}
          </span>
        ) : null}
      </div>
      <Reason {...props} />
      {props.hints.map(hint => (
        <p key={hint} className="jp-dlsys-Hint">
          {hint}
        </p>
      ))}
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
      <JobFacts job={job} phase={done || props.phase === 'running' ? '' : props.phase} />
      <JobActions {...props} />
    </header>
  );
}

/** Why the job is in its state, where it stands in the queue, and what to expect. */
function Reason(props: IJobHeader): React.ReactElement {
  const { trans } = useEnv();
  const { job } = props;
  const asked = props.stopping && !TERMINAL.has(job.state);
  const parts = [
    asked ? trans.__('Asked to stop…') : job.reason,
    job.queue_position ? trans.__('Place %1 in the queue.', job.queue_position) : '',
    TERMINAL.has(job.state) ? '' : (job.forecast?.words ?? '')
  ];
  return (
    <>
      <p
        className={`jp-dlsys-Reason${job.state === 'failed' || job.state === 'lost' ? ' jp-mod-bad' : ''}`}
        aria-live="polite"
      >
        {parts.map(sentence).filter(Boolean).join(' ')}
      </p>
      {job.next_attempt_at && job.state === 'queued' ? (
        <NextAttempt at={job.next_attempt_at} number={job.attempt} />
      ) : null}
    </>
  );
}

/** With a capital and a full stop, so that several read as sentences. */
function sentence(part: string): string {
  const trimmed = part.trim();
  return trimmed
    ? trimmed[0]?.toUpperCase() + trimmed.slice(1) + (/[.!?…:]$/.test(trimmed) ? '' : '.')
    : '';
}

function NextAttempt(props: { at: string; number: number }): React.ReactElement | null {
  const { trans } = useEnv();
  const left = (Date.parse(props.at) - useNow(true)) / 1000;
  const text =
    left > 0
      ? trans.__('Attempt %1 starts in %2.', props.number, duration(Math.ceil(left)))
      : trans.__('Attempt %1 starts as soon as there is room.', props.number);
  return (
    <p className="jp-dlsys-Weak" role="timer">
      {text}
    </p>
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
        [trans.__('Started'), startWord(trans, job.start)],
        [trans.__('Attempt'), job.attempt > 1 ? job.attempt : ''],
        [
          trans.__('Retry of'),
          job.retry_of ? (
            <Go key="retry" onClick={() => open({ kind: 'job', id: job.retry_of ?? '' })}>
              {job.retry_of}
            </Go>
          ) : (
            ''
          )
        ],
        [
          trans.__('Schedule'),
          job.schedule ? (
            <Go key="plan" onClick={() => open({ kind: 'schedule', id: job.schedule ?? '' })}>
              {job.schedule}
            </Go>
          ) : (
            ''
          )
        ],
        [
          trans.__('Memory limit'),
          job.resources.memory_bytes ? bytes(job.resources.memory_bytes) : ''
        ]
      ]}
    />
  );
}

function JobActions(props: IJobHeader): React.ReactElement {
  const { trans, open } = useEnv();
  const [busy, setBusy] = React.useState(false);
  const { job } = props;
  const retry = (): void => {
    setBusy(true);
    void props.onRetry().finally(() => setBusy(false));
  };
  return (
    <div className="jp-dlsys-Actions">
      {TERMINAL.has(job.state) ? (
        <Button
          icon={refreshIcon}
          label={trans.__('Run again')}
          busy={busy}
          needs="jobs.retry"
          onClick={retry}
        />
      ) : (
        <Button
          kind="danger"
          icon={stopIcon}
          label={trans.__('Cancel')}
          busy={props.stopping}
          disabled={job.state === 'cancelling'}
          needs="jobs.cancel"
          onClick={() => void props.onCancel()}
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

/** Now, each second while `running`. */
function useNow(running: boolean): number {
  const [now, setNow] = React.useState(Date.now());
  React.useEffect(() => {
    if (running) {
      const timer = window.setInterval(() => setNow(Date.now()), 1000);
      return () => clearInterval(timer);
    }
    return undefined;
  }, [running]);
  return now;
}

/** Time since the start, counting while the job runs. */
function Elapsed(props: { job: Job }): React.ReactElement | null {
  const { job } = props;
  const now = useNow(!!job.started_at && !job.finished_at);
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
