import * as React from 'react';

import type { Dataset, Deployment, Job, Model, Schedule, Worker } from '../api/types';
import { Badge } from './basics';
import { useEnv } from './env';
import { ago, bytes, count, metric, until } from './format';
import { Gauge } from './gauge';
import {
  endpointTone,
  endpointWord,
  firingTone,
  firingWord,
  jobTone,
  jobWord,
  kindWord
} from './words';

interface IRow {
  name: string;
  detail: React.ReactNode;
  badge?: React.ReactNode;
  title?: string;
  progress?: number | null;
  onOpen: () => void;
  context?: Record<string, string>;
}

function Row(props: IRow): React.ReactElement {
  return (
    <li>
      <button
        type="button"
        className="jp-dlsys-Row"
        data-row
        title={props.title}
        onClick={props.onOpen}
        {...props.context}
      >
        <span className="jp-dlsys-Row-name">{props.name}</span>
        {props.badge}
        <span className="jp-dlsys-Row-detail">{props.detail}</span>
        {props.progress !== null && props.progress !== undefined ? (
          <span className="jp-dlsys-Progress" aria-hidden="true">
            <span style={{ width: `${100 * props.progress}%` }} />
          </span>
        ) : null}
      </button>
    </li>
  );
}

export function DatasetRow(props: { dataset: Dataset; from?: string }): React.ReactElement {
  const { trans, open } = useEnv();
  const { dataset, from } = props;
  const detail = from
    ? trans.__('from %1 · %2', from, dataset.owner)
    : dataset.version
      ? trans.__('%1 rows · %2', count(dataset.rows), ago(dataset.updated_at))
      : trans.__('empty');
  return (
    <Row
      name={dataset.name}
      title={`${kindWord(trans, dataset.kind)} · ${bytes(dataset.bytes)}`}
      badge={<span className="jp-dlsys-Tagline">v{dataset.version}</span>}
      detail={detail}
      onOpen={() => open({ kind: 'dataset', name: dataset.name, project: dataset.project })}
      context={{ 'data-dlsys-dataset': dataset.name }}
    />
  );
}

export function JobRow(props: { job: Job }): React.ReactElement {
  const { trans, open } = useEnv();
  const { job } = props;
  const busy = job.state === 'running' || job.state === 'starting';
  const total = job.progress?.total ?? 0;
  const lead = Object.entries(job.metrics ?? {}).find(([key]) => /acc|f1|auc/.test(key));
  const parts = [
    job.queue_position ? trans.__('Place %1', job.queue_position) : '',
    job.state === 'queued' ? job.reason : ago(job.finished_at ?? job.created_at),
    busy && total ? trans.__('cell %1 of %2', job.progress.done, total) : '',
    lead && !busy ? `${lead[0]} ${metric(lead[1])}` : ''
  ];
  return (
    <Row
      name={job.name}
      title={job.reason}
      badge={<Badge tone={jobTone(job.state)} text={jobWord(trans, job.state)} />}
      detail={parts.filter(Boolean).join(' · ')}
      progress={busy && total ? job.progress.done / total : null}
      onOpen={() => open({ kind: 'job', id: job.id })}
    />
  );
}

export function ModelRow(props: { model: Model }): React.ReactElement {
  const { trans, open } = useEnv();
  const { model } = props;
  const aliases = Object.entries(model.aliases ?? {}).map(
    ([alias, version]) => `@${alias} v${version}`
  );
  return (
    <Row
      name={model.name}
      badge={model.latest ? <span className="jp-dlsys-Tagline">v{model.latest}</span> : null}
      detail={aliases.join(' · ') || trans.__('changed %1', ago(model.updated_at))}
      onOpen={() => open({ kind: 'model', name: model.name })}
    />
  );
}

export function EndpointRow(props: { endpoint: Deployment }): React.ReactElement {
  const { trans, open } = useEnv();
  const { endpoint } = props;
  const rate = endpoint.statistics?.requests_per_second ?? 0;
  return (
    <Row
      name={endpoint.name}
      title={endpoint.message}
      badge={
        <Badge tone={endpointTone(endpoint.state)} text={endpointWord(trans, endpoint.state)} />
      }
      detail={[endpoint.model, rate > 0 ? trans.__('%1 requests/s', metric(rate)) : '']
        .filter(Boolean)
        .join(' · ')}
      onOpen={() => open({ kind: 'endpoint', name: endpoint.name })}
    />
  );
}

export function ScheduleRow(props: { schedule: Schedule }): React.ReactElement {
  const { trans, open } = useEnv();
  const { schedule } = props;
  const next = schedule.next_times?.[0];
  const last = schedule.last_firing;
  const state = last?.job_state as Job['state'] | null | undefined;
  const parts = [
    schedule.paused ? '' : next ? trans.__('next %1', until(next)) : '',
    schedule.words,
    last ? '' : trans.__('has not run yet')
  ];
  const result = state ? (
    <Badge tone={jobTone(state)} text={jobWord(trans, state)} title={last?.reason} />
  ) : last ? (
    <Badge tone={firingTone(last.state)} text={firingWord(trans, last.state)} title={last.reason} />
  ) : null;
  return (
    <Row
      name={schedule.name || schedule.source}
      title={schedule.words}
      badge={schedule.paused ? <Badge tone="warn" text={trans.__('Paused')} /> : result}
      detail={parts.filter(Boolean).join(' · ')}
      onOpen={() => open({ kind: 'schedule', id: schedule.id })}
    />
  );
}

export function ComputeRows(props: { worker: Worker }): React.ReactElement {
  const { trans, open } = useEnv();
  const { worker } = props;
  return (
    <li className="jp-dlsys-Worker">
      <button
        type="button"
        className="jp-dlsys-Go"
        data-row
        title={trans.__('Machines, what jobs use, and the queue')}
        onClick={() => open({ kind: 'compute' })}
      >
        {worker.name}
      </button>
      <Gauge label={trans.__('CPU')} used={worker.cpus_used} all={worker.cpus} show={metric} />
      <Gauge
        label={trans.__('Memory')}
        used={worker.memory_bytes_used}
        all={worker.memory_bytes}
        show={bytes}
      />
      {worker.gpus.length ? (
        <Gauge
          label={trans.__('GPU')}
          used={worker.gpus_used}
          all={worker.gpus.length}
          show={metric}
        />
      ) : (
        <span className="jp-dlsys-Weak">{trans.__('No GPU')}</span>
      )}
    </li>
  );
}
