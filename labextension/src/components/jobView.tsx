import * as React from 'react';

import { TERMINAL } from '../api/types';
import type { Artifact, Job, JobUsage } from '../api/types';
import type { IJobState } from '../models/jobState';
import { AttemptsTable } from './attemptsTable';
import { Skeleton } from './basics';
import { CellStrip } from './cellStrip';
import { useEnv } from './env';
import { FilesList } from './filesList';
import { JobHeader } from './jobHeader';
import { JobInputs } from './jobInputs';
import { JobUsageView } from './jobUsage';
import { LiveNotebook } from './liveNotebook';
import { LogView } from './logView';
import { Tabs } from './tabs';
import type { ITab } from './tabs';

const Curves = React.lazy(() => import('./curves'));

export interface IJobView {
  job: Job;
  state: IJobState;
  artifacts: readonly Artifact[];
  usage: JobUsage | null;
  stopping: boolean;
  reading: number;
  tooLarge: boolean;
  onCancel: () => Promise<void>;
  onRetry: () => Promise<void>;
  onOpenNotebook: () => Promise<void>;
  onDownload: (path: string) => Promise<void>;
}

export function JobView(props: IJobView): React.ReactElement {
  const { trans } = useEnv();
  const { job, state } = props;
  const live = !TERMINAL.has(job.state);
  const cells = [...state.cells.values()].sort((a, b) => a.index - b.index);
  return (
    <div className="jp-dlsys-Page">
      <JobHeader
        job={job}
        phase={state.phase}
        stopping={props.stopping}
        hints={live ? (props.usage?.hints ?? []) : []}
        onCancel={props.onCancel}
        onRetry={props.onRetry}
      />
      {job.kind === 'notebook' && cells.length ? <CellStrip cells={cells} /> : null}
      <Tabs label={trans.__('What to see of this job')} tabs={useJobTabs(props, live)} />
    </div>
  );
}

function useJobTabs(props: IJobView, live: boolean): ITab[] {
  const { trans } = useEnv();
  const { job, state } = props;
  const notebook: ITab = {
    id: 'notebook',
    label: trans.__('Notebook'),
    render: () => (
      <LiveNotebook
        state={state}
        reading={props.reading}
        tooLarge={props.tooLarge}
        onOpen={props.onOpenNotebook}
      />
    )
  };
  const attempts: ITab = {
    id: 'attempts',
    label: trans.__('Attempts'),
    count: job.attempts.length,
    render: () => <AttemptsTable attempts={job.attempts} />
  };
  return [
    ...(job.kind === 'notebook' ? [notebook] : []),
    {
      id: 'curves',
      label: trans.__('Curves'),
      count: state.metrics.size,
      render: () => (
        <React.Suspense fallback={<Skeleton lines={5} height={24} />}>
          <Curves metrics={[...state.metrics.values()]} live={live} />
        </React.Suspense>
      )
    },
    {
      id: 'log',
      label: trans.__('Log'),
      render: () => <LogView log={state.log} revision={state.log.revision} live={live} />
    },
    {
      id: 'usage',
      label: trans.__('Usage'),
      render: () => <JobUsageView usage={props.usage} live={live} />
    },
    ...(job.attempts.length > 1 ? [attempts] : []),
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
  ];
}
