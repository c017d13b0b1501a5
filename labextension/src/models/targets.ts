/** Things that can be opened, whoever asks for it; of the current project where none is named. */
export type Target = { project?: string } & Thing;

type Thing =
  | { kind: 'dataset'; name: string; version?: number }
  | { kind: 'job'; id: string }
  | { kind: 'model'; name: string }
  | { kind: 'endpoint'; name: string }
  | { kind: 'lineage'; ref: string }
  | { kind: 'submit'; path?: string; dataset?: string }
  | { kind: 'commit'; path?: string; dataset?: string }
  | { kind: 'run'; run: string }
  | { kind: 'schedule'; id: string }
  | { kind: 'plan'; path?: string }
  | { kind: 'compute' }
  | { kind: 'projects' }
  | { kind: 'members' }
  | { kind: 'access'; name: string }
  | { kind: 'admin'; part?: string };

const NODE = /^dlsys:\/\/[^/]+\/([a-z_-]+)\/(.+?)(?:@v?([^@]+))?$/;

/** What a lineage node opens; null when there is no view of it. */
export function targetOfNode(
  id: string,
  type: string,
  properties: Readonly<Record<string, unknown>>
): Target | null {
  const [, , name = '', at = ''] = NODE.exec(id) ?? [];
  switch (type) {
    case 'dataset_version':
      return { kind: 'dataset', name, version: Number(at) || undefined };
    case 'snapshot': {
      const dataset = String(properties['dataset'] ?? '');
      return dataset
        ? { kind: 'dataset', name: dataset, version: Number(properties['version']) || undefined }
        : null;
    }
    case 'run': {
      const job = String(properties['job'] ?? '');
      return job ? { kind: 'job', id: job } : null;
    }
    case 'model_version':
      return { kind: 'model', name };
    case 'deployment':
      return { kind: 'endpoint', name };
    default:
      return null;
  }
}
