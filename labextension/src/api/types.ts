import type { components } from './schema.gen';

type Schemas = components['schemas'];

/** A request body of which only `Required` must be given. */
type Body<T, Required extends keyof T> = Pick<T, Required> & Partial<T>;

export type Dataset = Schemas['Dataset'];
export type Version = Schemas['Version'];
export type VersionSummary = Schemas['VersionSummary'];
export type Column = Schemas['Column'];
export type ColumnStatistics = Schemas['ColumnStatistics'];
export type Statistics = Schemas['Statistics'];
export type Histogram = Schemas['Histogram'];
export type ValueCount = Schemas['ValueCount'];
export type Rows = Schemas['Rows'];
export type Diff = Schemas['Diff'];
export type Kind = Dataset['kind'];
export type Upload = Schemas['Upload'];
export type CreateDataset = Body<Schemas['CreateDataset'], 'name'>;
export type CommitRequest = Partial<
  Omit<Schemas['CommitRequest'], 'files'> & { files: { upload: string; format?: Format | null }[] }
>;
export type Format = 'csv' | 'jsonl' | 'parquet' | 'arrow' | 'images-zip';

export type Job = Schemas['Job'];
export type JobState = Job['state'];
export type Attempt = Schemas['Attempt'];
export type Range = Schemas['Range'];
export type UsagePoint = Schemas['UsagePoint'];
export type Artifact = Schemas['Artifact'];
export type NotebookInfo = Schemas['NotebookInfo'];
export type Parameter = Schemas['Parameter'];
export type SourceFile = Schemas['SourceFile'];
export type InputRequest = Body<Schemas['InputRequest'], 'dataset'>;
export type Resources = Schemas['Resources'];
export type SubmitRequest = {
  source: SourceFile;
  resources?: Partial<Resources>;
  inputs?: Record<string, InputRequest>;
} & Partial<Omit<Schemas['SubmitRequest'], 'source' | 'resources' | 'inputs'>>;

export type Forecast = Schemas['Forecast'];
export type Finding = Schemas['Finding'];
export type Fix = Schemas['Fix'];
export type Place = Schemas['Place'];
export type PreflightReport = Schemas['PreflightReport'];
export type QueueEntry = Schemas['QueueEntry'];
export type JobUsage = Schemas['JobUsage'];

export type Schedule = Schemas['Schedule'];
export type Firing = Schemas['Firing'];
export type CronExplanation = Schemas['CronExplanation'];
export type ScheduleChange = Schemas['ScheduleChange'];
export type ScheduleRequest = { submission: SubmitRequest } & Body<
  Omit<Schemas['ScheduleRequest'], 'submission'>,
  'cron'
>;

export type Model = Schemas['Model'];
export type ModelVersion = Schemas['ModelVersion'];
export type MetricSeries = Schemas['MetricSeries'];
export type Run = Schemas['Run'];
export type Lineage = Schemas['Lineage'];
export type LineageNode = Schemas['LineageNode'];

export type Deployment = Schemas['Deployment'];
export type DeployRequest = Body<Schemas['DeployRequest'], 'model'>;
export type Prediction = Schemas['Prediction'];
export type ServiceToken = Schemas['ServiceToken'];
export type IssuedServiceToken = Schemas['IssuedServiceToken'];
export type TokenScope = ServiceToken['scopes'][number];
export type ServiceTokenRequest = Body<Schemas['ServiceTokenRequest'], 'name'>;

export type Project = Schemas['Project'];
export type CreateProject = Body<Schemas['CreateProjectRequest'], 'name'>;
export type AuditEntry = Schemas['AuditEntry'];
export type AuditReport = Schemas['AuditReport'];
export type Outcome = AuditEntry['outcome'];

/** Which rows of the audit log; what is empty or missing does not matter. */
export interface IAuditFilter {
  project?: string;
  actor?: string;
  operation?: string;
  outcome?: Outcome;
  since?: string;
  until?: string;
  text?: string;
}

export type Quota = Schemas['Quota'];
export type QuotaKind = Quota['kind'];
export type Limits = Schemas['Limits'];
export type LimitsRequest = Required<Schemas['LimitsRequest']>;
export type Use = Schemas['Use'];

export type Role = Schemas['MemberRequest']['role'];
export type Member = Schemas['Member'];
export type Policy = Schemas['Policy'];
export type PolicyRequest = Schemas['PolicyRequest'];
export type ColumnMask = Schemas['ColumnMask'];
export type RowFilter = Schemas['RowFilter'];
export type Permission = Schemas['Permission'];

export type Health = Schemas['Health'];
export type PartState = Health['state'];
export type Whoami = Schemas['Whoami'];
export type Worker = Schemas['Worker'];
export type Gpu = Schemas['Gpu'];
export type Problem = Schemas['Problem'];
export type FieldProblem = Schemas['FieldProblem'];

/** One page of a list. */
export interface IPage<T> {
  items: T[];
  next_cursor?: string | null;
}

/** Where a list goes on. */
export interface IPaging {
  limit?: number;
  cursor?: string;
}

/** States from which a job does not move. */
export const TERMINAL: ReadonlySet<JobState> = new Set<JobState>([
  'succeeded',
  'failed',
  'cancelled',
  'skipped',
  'lost'
]);

/** One row of the event log, as the streams send it. */
export interface IEvent {
  seq: number;
  at: string;
  topic: string;
  project: string;
  subject: string;
  actor: string;
  payload?: Record<string, unknown>;
}
