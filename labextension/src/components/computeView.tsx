import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Job, JobUsage, Problem, QueueEntry, Worker } from '../api/types';
import type { IKernel } from '../models/kernelsModel';
import { Badge, Button, EmptyState, Facts, Go, Section } from './basics';
import { Sparkline } from './charts';
import { useEnv } from './env';
import { ago, bytes, duration, metric, percent } from './format';
import { Gauge } from './gauge';
import { MyUse } from './myUse';
import { ProblemNote } from './problem';
import { jobTone, jobWord, partTone, partWord } from './words';

const LATEST = 120;

export interface IComputeView {
  workers: readonly Worker[];
  queue: readonly QueueEntry[];
  jobs: readonly Job[];
  usage: ReadonlyMap<string, JobUsage>;
  limits: React.ComponentProps<typeof MyUse>['limits'];
  idle: readonly IKernel[];
  kernels: number;
  onShutDown: (kernel: string) => Promise<void>;
}

/** What there is, who uses it, who waits for it, and what could be let go. */
export function ComputeView(props: IComputeView): React.ReactElement {
  const { trans } = useEnv();
  return (
    <div className="jp-dlsys-Page">
      <header className="jp-dlsys-Header">
        <div className="jp-dlsys-Header-title">
          <h2>{trans.__('Compute')}</h2>
        </div>
        <MyUse limits={props.limits} />
      </header>
      {props.workers.length ? (
        props.workers.map(worker => (
          <WorkerCard key={worker.name} worker={worker} jobs={props.jobs} />
        ))
      ) : (
        <EmptyState
          title={trans.__('No machine is connected')}
          text={trans.__('Jobs wait until one is.')}
        />
      )}
      <Section title={trans.__('Running jobs')}>
        <RunningJobs jobs={props.jobs} usage={props.usage} />
      </Section>
      <Section title={trans.__('Queue')}>
        <Queue entries={props.queue} />
      </Section>
      <Section title={trans.__('Idle kernels')}>
        <IdleKernels {...props} />
      </Section>
    </div>
  );
}

function WorkerCard(props: { worker: Worker; jobs: readonly Job[] }): React.ReactElement {
  const { trans } = useEnv();
  const { worker } = props;
  const { isolation, warm } = worker;
  return (
    <section className="jp-dlsys-Card" aria-label={trans.__('Machine %1', worker.name)}>
      <header>
        <h3>{worker.name}</h3>
        <span className="jp-dlsys-Weak">
          {trans._n('%1 job', '%1 jobs', worker.jobs.length, worker.jobs.length)}
        </span>
      </header>
      <Gauge
        label={trans.__('CPU')}
        used={worker.cpus_used}
        all={worker.cpus}
        load={worker.cpu_load}
        loadLabel={trans.__('· busy')}
        show={cores}
      />
      <Gauge
        label={trans.__('Memory')}
        used={worker.memory_bytes_used}
        all={worker.memory_bytes}
        load={worker.memory_bytes_load}
        loadLabel={trans.__('· in use')}
        show={bytes}
      />
      <Gpus {...props} />
      <small className="jp-dlsys-Weak">
        {trans.__('Bar: held by jobs. Line: really used now, by anybody.')}
      </small>
      <Facts
        items={[
          [trans.__('Isolation of jobs'), isolation?.words || isolation?.account],
          [
            trans.__('Warm start'),
            warm ? (
              <>
                <Badge tone={partTone(warm.state)} text={partWord(trans, warm.state)} />{' '}
                {[
                  warm.message,
                  warm.parked
                    ? trans._n('%1 kernel ready', '%1 kernels ready', warm.parked, warm.parked)
                    : '',
                  warm.memory_bytes ? bytes(warm.memory_bytes) : ''
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </>
            ) : null
          ]
        ]}
      />
    </section>
  );
}

function Gpus(props: { worker: Worker; jobs: readonly Job[] }): React.ReactElement {
  const { trans, open } = useEnv();
  const { worker } = props;
  const details = worker.gpu_details ?? [];
  if (worker.gpus.length === 0) {
    return <p className="jp-dlsys-Weak">{trans.__('No GPU')}</p>;
  }
  const name = (id: string): string => props.jobs.find(job => job.id === id)?.name ?? id;
  return (
    <>
      {worker.gpus
        .map(id => details.find(gpu => gpu.id === id) ?? { id, name: '', jobs: [] })
        .map(gpu => (
          <div key={gpu.id} className="jp-dlsys-Gpu">
            <p>
              <strong>{trans.__('GPU %1', gpu.id)}</strong>{' '}
              <span className="jp-dlsys-Weak">{gpu.name}</span>{' '}
              {gpu.jobs?.length
                ? gpu.jobs.map(job => (
                    <Go key={job} onClick={() => open({ kind: 'job', id: job })}>
                      {name(job)}
                    </Go>
                  ))
                : trans.__('free')}
            </p>
            {typeof gpu.utilization === 'number' ? (
              <Gauge label={trans.__('Busy')} used={gpu.utilization} all={1} show={percent} />
            ) : null}
            {typeof gpu.memory_bytes === 'number' && gpu.memory_bytes_used !== undefined ? (
              <Gauge
                label={trans.__('Memory')}
                used={gpu.memory_bytes_used ?? 0}
                all={gpu.memory_bytes}
                show={bytes}
              />
            ) : null}
          </div>
        ))}
    </>
  );
}

function RunningJobs(props: {
  jobs: readonly Job[];
  usage: ReadonlyMap<string, JobUsage>;
}): React.ReactElement {
  const { trans } = useEnv();
  if (props.jobs.length === 0) {
    return <p className="jp-dlsys-Weak">{trans.__('Nothing runs now.')}</p>;
  }
  const gpus = props.jobs.some(job => job.resources.gpus);
  const hints = [...props.usage.values()].some(use => use.hints?.length);
  return (
    <div className="jp-dlsys-Scroll">
      <table className="jp-dlsys-Table jp-mod-roomy">
        <thead>
          <tr>
            <th>{trans.__('Job')}</th>
            <th>{trans.__('State')}</th>
            <th>{trans.__('CPU')}</th>
            <th>{trans.__('Memory')}</th>
            {gpus ? <th>{trans.__('GPU')}</th> : null}
            {hints ? <th>{trans.__('Hint')}</th> : null}
          </tr>
        </thead>
        <tbody>
          {props.jobs.map(job => (
            <JobUsageRow
              key={job.id}
              job={job}
              usage={props.usage.get(job.id)}
              gpus={gpus}
              hints={hints}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function JobUsageRow(props: {
  job: Job;
  usage: JobUsage | undefined;
  gpus: boolean;
  hints: boolean;
}): React.ReactElement {
  const { trans, open } = useEnv();
  const { job } = props;
  const points = (props.usage?.points ?? []).slice(-LATEST);
  const last = points[points.length - 1];
  const gpu = points.map(point => point.gpu_utilization ?? 0);
  return (
    <tr>
      <td>
        <Go onClick={() => open({ kind: 'job', id: job.id })}>{job.name}</Go>
        <small className="jp-dlsys-Weak"> {job.owner}</small>
      </td>
      <td>
        <Badge tone={jobTone(job.state)} text={jobWord(trans, job.state)} />
      </td>
      <Use
        values={points.map(point => point.cpus)}
        label={trans.__('CPUs of %1', job.name)}
        now={last ? trans.__('%1 of %2', cores(last.cpus), job.resources.cpus) : ''}
      />
      <Use
        values={points.map(point => point.memory_bytes)}
        label={trans.__('Memory of %1', job.name)}
        now={last ? bytes(last.memory_bytes) : ''}
      />
      {props.gpus ? (
        <Use
          values={gpu}
          label={trans.__('GPU use of %1', job.name)}
          now={typeof last?.gpu_utilization === 'number' ? percent(last.gpu_utilization) : ''}
        />
      ) : null}
      {props.hints ? <td>{(props.usage?.hints ?? []).join(' ')}</td> : null}
    </tr>
  );
}

const cores = (value: number): string => metric(Math.round(100 * value) / 100);

function Use(props: { values: number[]; label: string; now: string }): React.ReactElement {
  return (
    <td className="jp-dlsys-Use">
      {props.values.length > 1 ? <Sparkline values={props.values} label={props.label} /> : null}
      <span className="jp-mod-number">{props.now || '–'}</span>
    </td>
  );
}

function Queue(props: { entries: readonly QueueEntry[] }): React.ReactElement {
  const { trans, open } = useEnv();
  if (props.entries.length === 0) {
    return <p className="jp-dlsys-Weak">{trans.__('Nothing waits.')}</p>;
  }
  return (
    <div className="jp-dlsys-Scroll">
      <table className="jp-dlsys-Table jp-mod-roomy">
        <thead>
          <tr>
            <th className="jp-mod-number">{trans.__('Place')}</th>
            <th>{trans.__('Job')}</th>
            <th>{trans.__('Needs')}</th>
            <th>{trans.__('Why it waits')}</th>
            <th>{trans.__('Forecast')}</th>
            <th className="jp-mod-number">{trans.__('Waits')}</th>
          </tr>
        </thead>
        <tbody>
          {props.entries.map(entry => (
            <tr key={entry.job}>
              <td className="jp-mod-number">{entry.position}</td>
              <td>
                <Go onClick={() => open({ kind: 'job', id: entry.job })}>{entry.name}</Go>
                <small className="jp-dlsys-Weak">
                  {' '}
                  {[entry.owner, entry.priority ? trans.__('priority %1', entry.priority) : '']
                    .filter(Boolean)
                    .join(' · ')}
                </small>
              </td>
              <td className="jp-dlsys-Needs">
                <Needs resources={entry.resources} />
              </td>
              <td>{entry.reason}</td>
              <td>{entry.forecast?.words || '–'}</td>
              <td className="jp-mod-number">{duration(entry.waiting_seconds)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Needs(props: { resources: QueueEntry['resources'] }): React.ReactElement {
  const { trans } = useEnv();
  const { cpus, gpus, gpu_share: share, memory_bytes: memory } = props.resources;
  const parts = [
    trans.__('%1 CPU', cpus),
    gpus ? trans.__('%1 GPU', share < 1 ? percent(share) : gpus) : '',
    memory ? bytes(memory) : ''
  ];
  return <>{parts.filter(Boolean).join(' · ')}</>;
}

function IdleKernels(props: IComputeView): React.ReactElement {
  const { trans } = useEnv();
  const [problem, setProblem] = React.useState<Problem | null>(null);
  if (props.idle.length === 0) {
    return (
      <p className="jp-dlsys-Weak">
        {props.kernels
          ? trans.__('None: every kernel here did something in the last 10 minutes.')
          : trans.__('No kernel runs on this Jupyter server.')}
      </p>
    );
  }
  return (
    <>
      <p className="jp-dlsys-Weak">
        {trans.__(
          'Kernels of this Jupyter server that did nothing for 10 minutes. Their variables are lost when they are shut down; the notebooks stay.'
        )}
      </p>
      {problem ? <ProblemNote problem={problem} /> : null}
      <ul className="jp-dlsys-Kernels">
        {props.idle.map(kernel => (
          <li key={kernel.id}>
            <strong>{kernel.path || trans.__('No notebook')}</strong>
            <span className="jp-dlsys-Weak">
              {trans.__('%1 · last active %2', kernel.name, ago(kernel.lastActivity))}
            </span>
            <Button
              label={trans.__('Shut down')}
              title={trans.__('Shut down the kernel of %1', kernel.path || kernel.name)}
              onClick={() => {
                setProblem(null);
                props.onShutDown(kernel.id).catch(error => setProblem(toProblem(error)));
              }}
            />
          </li>
        ))}
      </ul>
    </>
  );
}
