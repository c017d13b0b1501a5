/** Every operation of the API that the front end uses, keyed by its operation id. */
import type { Client } from './client';
import type * as T from './types';

const key = (): Record<string, string> => ({
  'Idempotency-Key': crypto.randomUUID?.() ?? `${Math.random()}`
});

const system = {
  'system.health': (c: Client) => c.json<T.Health>('GET', 'health'),
  'system.whoami': (c: Client) => c.json<T.Whoami>('GET', 'whoami'),
  'system.workers': (c: Client) => c.json<T.Worker[]>('GET', 'workers'),
  'system.events': (
    c: Client,
    query: { since?: number; topics: string[]; subjects: string[] },
    signal: AbortSignal
  ) => c.send('GET', 'events', { query, signal, headers: { Accept: 'text/event-stream' } })
};

const projects = {
  'projects.list': (c: Client) => c.json<T.Project[]>('GET', 'projects'),
  'projects.create': (c: Client, json: T.CreateProject) =>
    c.json<T.Project>('POST', 'projects', { json }),
  'projects.permissions': (c: Client) => c.json<T.Permission[]>('GET', c.scoped('permissions')),
  'projects.members': (c: Client) => c.json<T.Member[]>('GET', c.scoped('members')),
  'projects.add_member': (c: Client, kind: T.Member['kind'], name: string, role: T.Role) =>
    c.json<T.Member>('PUT', c.scoped('members', kind, name), { json: { role } }),
  'projects.remove_member': (c: Client, kind: T.Member['kind'], name: string) =>
    c.json<void>('DELETE', c.scoped('members', kind, name))
};

const access = {
  'quotas.list': (c: Client) => c.json<T.Quota[]>('GET', 'quotas'),
  'quotas.set': (c: Client, kind: T.QuotaKind, name: string, json: T.LimitsRequest) =>
    c.json<T.Quota>('PUT', `quotas/${kind}/${encodeURIComponent(name)}`, { json }),
  'quotas.unset': (c: Client, kind: T.QuotaKind, name: string) =>
    c.json<void>('DELETE', `quotas/${kind}/${encodeURIComponent(name)}`),
  'audit.list': (c: Client, query: T.IAuditFilter & T.IPaging) =>
    c.json<T.IPage<T.AuditEntry>>('GET', 'audit', { query: { ...query } }),
  'audit.export': (c: Client, query: T.IAuditFilter & { format: 'csv' | 'jsonl' }) =>
    c.send('GET', 'audit/export', { query: { ...query } }),
  'audit.verify': (c: Client) => c.json<T.AuditReport>('GET', 'audit/verify')
};

const datasets = {
  'uploads.create': (c: Client, filename: string) =>
    c.json<T.Upload>('POST', c.scoped('uploads'), { query: { filename } }),
  'uploads.send': (c: Client, upload: string, offset: number, body: Blob) =>
    c.json<T.Upload>('PUT', c.scoped('uploads', upload), { query: { offset }, body }),
  'uploads.remove': (c: Client, upload: string) =>
    c.json<void>('DELETE', c.scoped('uploads', upload)),
  'datasets.policy': (c: Client, name: string) =>
    c.json<T.Policy>('GET', c.scoped('datasets', name, 'policy')),
  'datasets.set_policy': (c: Client, name: string, json: T.PolicyRequest) =>
    c.json<T.Policy>('PUT', c.scoped('datasets', name, 'policy'), { json }),
  'datasets.list': (c: Client, query: T.IPaging & { shared?: boolean } = {}) =>
    c.json<T.IPage<T.Dataset>>('GET', c.scoped('datasets'), { query: { ...query } }),
  'datasets.create': (c: Client, json: T.CreateDataset) =>
    c.json<T.Dataset>('POST', c.scoped('datasets'), { json, headers: key() }),
  'datasets.show': (c: Client, name: string) =>
    c.json<T.Dataset>('GET', c.scoped('datasets', name)),
  'datasets.remove': (c: Client, name: string) =>
    c.json<void>('DELETE', c.scoped('datasets', name)),
  'datasets.history': (c: Client, name: string, query: T.IPaging = {}) =>
    c.json<T.IPage<T.VersionSummary>>('GET', c.scoped('datasets', name, 'commits'), {
      query: { ...query }
    }),
  'datasets.commit': (c: Client, name: string, json: T.CommitRequest) =>
    c.json<T.Version>('POST', c.scoped('datasets', name, 'commits'), { json, headers: key() }),
  'datasets.version': (c: Client, name: string, ref: string) =>
    c.json<T.Version>('GET', c.scoped('datasets', name, 'commits', ref)),
  'datasets.rows': (
    c: Client,
    name: string,
    query: { ref?: string; where?: string; offset?: number; limit?: number }
  ) => c.json<T.Rows>('GET', c.scoped('datasets', name, 'rows'), { query }),
  'datasets.diff': (c: Client, name: string, base: string, target: string) =>
    c.json<T.Diff>('GET', c.scoped('datasets', name, 'diff'), { query: { base, target } }),
  'datasets.tag': (
    c: Client,
    name: string,
    tag: string,
    json: { version: number; move?: boolean }
  ) => c.json<T.Dataset>('PUT', c.scoped('datasets', name, 'tags', tag), { json }),
  'datasets.untag': (c: Client, name: string, tag: string) =>
    c.json<T.Dataset>('DELETE', c.scoped('datasets', name, 'tags', tag)),
  'datasets.export': (c: Client, name: string, query: { ref: string; format: string }) =>
    c.send('GET', c.scoped('datasets', name, 'export'), { query })
};

const jobs = {
  'jobs.list': (c: Client, query: T.IPaging = {}) =>
    c.json<T.IPage<T.Job>>('GET', c.scoped('jobs'), { query: { ...query } }),
  'jobs.submit': (c: Client, json: T.SubmitRequest) =>
    c.json<T.Job>('POST', c.scoped('jobs'), { json, headers: key() }),
  'jobs.inspect': (c: Client, source: T.SourceFile) =>
    c.json<T.NotebookInfo>('POST', c.scoped('notebooks', 'inspect'), { json: { source } }),
  'jobs.show': (c: Client, id: string) => c.json<T.Job>('GET', c.scoped('jobs', id)),
  'jobs.cancel': (c: Client, id: string) => c.json<T.Job>('POST', c.scoped('jobs', id, 'cancel')),
  'jobs.events': (c: Client, id: string, query: { since: number; limit: number }) =>
    c.json<T.IEvent[]>('GET', c.scoped('jobs', id, 'events'), { query }),
  'jobs.log': (c: Client, id: string, offset = 0) =>
    c.send('GET', c.scoped('jobs', id, 'log'), { query: { offset } }),
  'jobs.retry': (c: Client, id: string) =>
    c.json<T.Job>('POST', c.scoped('jobs', id, 'retry'), { headers: key() }),
  'jobs.notebook': (c: Client, id: string) => c.send('GET', c.scoped('jobs', id, 'notebook')),
  'jobs.artifacts': (c: Client, id: string) =>
    c.json<T.Artifact[]>('GET', c.scoped('jobs', id, 'artifacts')),
  'jobs.artifact': (c: Client, id: string, path: string) =>
    c.send(
      'GET',
      `${c.scoped('jobs', id, 'artifacts')}/${path.split('/').map(encodeURIComponent).join('/')}`
    )
};

const queue = {
  'jobs.preflight': (c: Client, json: T.SubmitRequest, signal?: AbortSignal) =>
    c.json<T.PreflightReport>('POST', c.scoped('jobs', 'preflight'), { json, signal }),
  'jobs.queue': (c: Client) => c.json<T.QueueEntry[]>('GET', c.scoped('queue')),
  'jobs.usage': (c: Client, id: string) => c.json<T.JobUsage>('GET', c.scoped('jobs', id, 'usage'))
};

const schedules = {
  'schedules.list': (c: Client, query: T.IPaging = {}) =>
    c.json<T.IPage<T.Schedule>>('GET', c.scoped('schedules'), { query: { ...query } }),
  'schedules.create': (c: Client, json: T.ScheduleRequest) =>
    c.json<T.Schedule>('POST', c.scoped('schedules'), { json, headers: key() }),
  'schedules.explain': (c: Client, json: { cron: string; timezone: string }) =>
    c.json<T.CronExplanation>('POST', c.scoped('schedules', 'explain'), { json }),
  'schedules.show': (c: Client, id: string) => c.json<T.Schedule>('GET', c.scoped('schedules', id)),
  'schedules.update': (c: Client, id: string, json: T.ScheduleChange) =>
    c.json<T.Schedule>('PATCH', c.scoped('schedules', id), { json }),
  'schedules.remove': (c: Client, id: string) => c.json<void>('DELETE', c.scoped('schedules', id)),
  'schedules.pause': (c: Client, id: string) =>
    c.json<T.Schedule>('POST', c.scoped('schedules', id, 'pause')),
  'schedules.resume': (c: Client, id: string) =>
    c.json<T.Schedule>('POST', c.scoped('schedules', id, 'resume')),
  'schedules.run': (c: Client, id: string) =>
    c.json<T.Firing>('POST', c.scoped('schedules', id, 'run'), { headers: key() }),
  'schedules.history': (c: Client, id: string, query: T.IPaging = {}) =>
    c.json<T.IPage<T.Firing>>('GET', c.scoped('schedules', id, 'history'), { query: { ...query } })
};

const metadata = {
  'runs.show': (c: Client, run: string) => c.json<T.Run>('GET', c.scoped('runs', run)),
  'runs.metrics': (c: Client, run: string, points = 1000) =>
    c.json<T.MetricSeries[]>('GET', c.scoped('runs', run, 'metrics'), { query: { points } }),
  'models.list': (c: Client, query: T.IPaging = {}) =>
    c.json<T.IPage<T.Model>>('GET', c.scoped('models'), { query: { ...query } }),
  'models.show': (c: Client, name: string) => c.json<T.Model>('GET', c.scoped('models', name)),
  'models.promote': (c: Client, name: string, alias: string, version: number) =>
    c.json<T.Model>('PUT', c.scoped('models', name, 'aliases', alias), { json: { version } }),
  'models.demote': (c: Client, name: string, alias: string) =>
    c.json<T.Model>('DELETE', c.scoped('models', name, 'aliases', alias)),
  'lineage.show': (c: Client, ref: string, query: { direction?: string; depth?: number } = {}) =>
    c.json<T.Lineage>('GET', c.scoped('lineage'), { query: { ref, ...query } })
};

const serving = {
  'deployments.list': (c: Client, query: T.IPaging = {}) =>
    c.json<T.IPage<T.Deployment>>('GET', c.scoped('deployments'), { query: { ...query } }),
  'deployments.deploy': (c: Client, json: T.DeployRequest) =>
    c.json<T.Deployment>('POST', c.scoped('deployments'), { json, headers: key() }),
  'deployments.show': (c: Client, name: string) =>
    c.json<T.Deployment>('GET', c.scoped('deployments', name)),
  'deployments.rollback': (c: Client, name: string) =>
    c.json<T.Deployment>('POST', c.scoped('deployments', name, 'rollback')),
  'deployments.undeploy': (c: Client, name: string) =>
    c.json<void>('DELETE', c.scoped('deployments', name)),
  'deployments.predict': (c: Client, name: string, inputs: Record<string, unknown[]>) =>
    c.json<T.Prediction>('POST', c.scoped('deployments', name, 'predict'), { json: { inputs } })
};

const tokens = {
  'tokens.list': (c: Client, query: { endpoint?: string } = {}) =>
    c.json<T.ServiceToken[]>('GET', c.scoped('tokens'), { query: { ...query } }),
  'tokens.issue': (c: Client, json: T.ServiceTokenRequest) =>
    c.json<T.IssuedServiceToken>('POST', c.scoped('tokens'), { json }),
  'tokens.revoke': (c: Client, id: string) => c.json<void>('DELETE', c.scoped('tokens', id))
};

export const operations = {
  ...system,
  ...projects,
  ...access,
  ...datasets,
  ...jobs,
  ...queue,
  ...schedules,
  ...metadata,
  ...serving,
  ...tokens
} as const;
