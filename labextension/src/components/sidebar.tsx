import {
  addIcon,
  fileUploadIcon,
  historyIcon,
  kernelIcon,
  notebookIcon,
  offlineBoltIcon,
  spreadsheetIcon
} from '@jupyterlab/ui-components';
import * as React from 'react';

import type {
  Dataset,
  Deployment,
  Job,
  Model,
  Problem,
  Project,
  Schedule,
  Worker
} from '../api/types';
import { fullName } from '../models/session';
import { AdminLink } from './adminLink';
import { Button, EmptyState, Skeleton } from './basics';
import { useEnv } from './env';
import { Group } from './group';
import type { IListState } from './group';
import { ProblemNote } from './problem';
import { ProjectHead } from './projectHead';
import { ComputeRows, DatasetRow, EndpointRow, JobRow, ModelRow, ScheduleRow } from './sidebarRows';

export interface ISidebar {
  /** The current one; null where there is but one. */
  project: Project | null;
  state: 'starting' | 'ready' | 'unavailable';
  problem: Problem | null;
  datasets: IListState<Dataset>;
  /** Of other projects, shared with this person. */
  shared: readonly Dataset[];
  jobs: IListState<Job>;
  models: IListState<Model>;
  endpoints: IListState<Deployment>;
  schedules: IListState<Schedule>;
  workers: readonly Worker[];
  /** There may be something to administer. */
  manages: boolean;
  onRetry: () => void;
}

export function Sidebar(props: ISidebar): React.ReactElement {
  const { trans } = useEnv();
  const [filter, setFilter] = React.useState('');
  if (props.state === 'unavailable') {
    return (
      <div className="jp-dlsys-Sidebar-message">
        <EmptyState
          icon={offlineBoltIcon}
          title={trans.__('The system is not available')}
          text={trans.__('Your files and kernels are not affected.')}
        />
        {props.problem ? <ProblemNote problem={props.problem} onRetry={props.onRetry} /> : null}
      </div>
    );
  }
  if (props.state === 'starting') {
    return (
      <div className="jp-dlsys-Sidebar-message" aria-live="polite">
        <p className="jp-dlsys-Starting">
          <span className="jp-dlsys-Spinner" aria-hidden="true" />
          {trans.__('Starting the system… the first time takes a few seconds.')}
        </p>
        <Skeleton lines={6} height={18} />
      </div>
    );
  }
  return (
    <div className="jp-dlsys-Sidebar" onKeyDown={moveFocus}>
      {props.project ? <ProjectHead project={props.project} /> : null}
      <input
        type="search"
        className="jp-dlsys-Input"
        placeholder={trans.__('Filter by name')}
        aria-label={trans.__('Filter by name')}
        value={filter}
        onChange={event => setFilter(event.target.value)}
      />
      <SidebarSections {...props} filter={filter.trim().toLowerCase()} />
      {props.manages ? <AdminLink /> : null}
    </div>
  );
}

function SidebarSections(props: ISidebar & { filter: string }): React.ReactElement {
  const { trans, open } = useEnv();
  const keep = (name: string): boolean => name.toLowerCase().includes(props.filter);
  const jobs = props.jobs.items.filter(job => keep(job.name) || keep(job.id));
  const active = props.jobs.items.filter(
    job => job.state === 'running' || job.state === 'starting'
  ).length;
  const queued = props.jobs.items.filter(job => job.state === 'queued').length;
  const endpoints = props.endpoints.items.filter(endpoint => keep(endpoint.name));
  return (
    <>
      <DataSection {...props} keep={keep} />
      <Group
        title={trans.__('Jobs')}
        count={props.jobs.items.length}
        live={active ? trans.__('%1 running', active) : ''}
        list={props.jobs}
        empty={
          <EmptyState
            icon={notebookIcon}
            title={trans.__('Nothing has run yet')}
            text={trans.__(
              'Open a notebook and press “Run as job”; it runs on its own, even when this window is closed.'
            )}
          >
            <Button
              label={trans.__('Run a notebook')}
              needs="jobs.submit"
              onClick={() => open({ kind: 'submit' })}
            />
          </EmptyState>
        }
        action={{
          icon: addIcon,
          label: trans.__('Run a notebook as a job'),
          needs: 'jobs.submit',
          run: () => open({ kind: 'submit' })
        }}
      >
        {jobs.map(job => (
          <JobRow key={job.id} job={job} />
        ))}
      </Group>
      <Group
        title={trans.__('Models')}
        count={props.models.items.length}
        live={endpoints.length ? trans.__('%1 deployed', endpoints.length) : ''}
        tone="ok"
        list={props.models}
        empty={
          <EmptyState
            icon={kernelIcon}
            title={trans.__('No model yet')}
            text={trans.__(
              'A job that logs a model with registered_model_name shows it here, ready to deploy.'
            )}
          />
        }
      >
        {props.models.items
          .filter(model => keep(model.name))
          .map(model => (
            <ModelRow key={model.name} model={model} />
          ))}
        {endpoints.length ? (
          <li className="jp-dlsys-Sub" role="presentation">
            {trans.__('Endpoints')}
          </li>
        ) : null}
        {endpoints.map(endpoint => (
          <EndpointRow key={endpoint.name} endpoint={endpoint} />
        ))}
      </Group>
      <FlowsSection {...props} keep={keep} />
      <ComputeSection workers={props.workers} queued={queued} />
    </>
  );
}

function DataSection(props: ISidebar & { keep: (name: string) => boolean }): React.ReactElement {
  const { trans, open } = useEnv();
  const shared = props.shared.filter(dataset => props.keep(fullName(dataset)));
  const { loaded, more, problem } = props.datasets;
  const state = { loaded, more, problem };
  const all = [...props.datasets.items, ...props.shared];
  return (
    <Group
      title={trans.__('Data')}
      count={props.datasets.items.length}
      list={{ ...state, items: all }}
      empty={
        <EmptyState
          icon={spreadsheetIcon}
          title={trans.__('Start with data')}
          text={trans.__(
            'Commit a CSV, JSON Lines or Parquet file: every version is kept and can be trained on again.'
          )}
        >
          <Button
            kind="primary"
            icon={fileUploadIcon}
            label={trans.__('Commit a file')}
            needs="datasets.commit"
            onClick={() => open({ kind: 'commit' })}
          />
        </EmptyState>
      }
      action={{
        icon: addIcon,
        label: trans.__('Commit a file'),
        needs: 'datasets.commit',
        run: () => open({ kind: 'commit' })
      }}
    >
      {props.datasets.items
        .filter(dataset => props.keep(dataset.name))
        .map(dataset => (
          <DatasetRow key={dataset.name} dataset={dataset} />
        ))}
      {shared.length ? (
        <li className="jp-dlsys-Sub" role="presentation">
          {trans.__('Shared with me')}
        </li>
      ) : null}
      {shared.map(dataset => (
        <DatasetRow key={fullName(dataset)} dataset={dataset} from={dataset.project} />
      ))}
    </Group>
  );
}

function FlowsSection(props: ISidebar & { keep: (name: string) => boolean }): React.ReactElement {
  const { trans, open } = useEnv();
  const { schedules } = props;
  const active = schedules.items.filter(schedule => !schedule.paused).length;
  return (
    <Group
      title={trans.__('Flows')}
      count={schedules.items.length}
      live={active ? trans.__('%1 active', active) : ''}
      tone="ok"
      list={schedules}
      empty={
        <EmptyState
          icon={historyIcon}
          title={trans.__('Nothing is scheduled')}
          text={trans.__(
            'Open a notebook and press “Schedule…”: it runs every hour, every weekday at 7, or when you say.'
          )}
        >
          <Button
            label={trans.__('Schedule a notebook')}
            needs="schedules.create"
            onClick={() => open({ kind: 'plan' })}
          />
        </EmptyState>
      }
      action={{
        icon: addIcon,
        label: trans.__('Schedule a notebook'),
        needs: 'schedules.create',
        run: () => open({ kind: 'plan' })
      }}
    >
      {schedules.items
        .filter(schedule => props.keep(schedule.name || schedule.source))
        .map(schedule => (
          <ScheduleRow key={schedule.id} schedule={schedule} />
        ))}
    </Group>
  );
}

function ComputeSection(props: { workers: readonly Worker[]; queued: number }): React.ReactElement {
  const { trans, open } = useEnv();
  const list = { items: props.workers, loaded: true, more: false, problem: null };
  return (
    <Group
      title={trans.__('Compute')}
      count={props.workers.length}
      live={props.queued ? trans.__('%1 queued', props.queued) : ''}
      tone="idle"
      list={list}
      action={{
        icon: kernelIcon,
        label: trans.__('Open Compute'),
        run: () => open({ kind: 'compute' })
      }}
      empty={<p className="jp-dlsys-Weak">{trans.__('No machine is connected.')}</p>}
    >
      {props.workers.map(worker => (
        <ComputeRows key={worker.name} worker={worker} />
      ))}
    </Group>
  );
}

/** Arrow keys move between rows and headings, as in a tree. */
function moveFocus(event: React.KeyboardEvent<HTMLDivElement>): void {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) {
    return;
  }
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>('input, [data-row]')];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const next = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
  if (at >= 0 && next) {
    next.focus();
    event.preventDefault();
  }
}
