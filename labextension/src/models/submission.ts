/** What the submit form holds, and the request that it makes. Pure. */
import type { Finding, Fix, InputRequest, SubmitRequest } from '../api/types';
import type { ISource } from './sources';

export interface IBoundInput {
  dataset: string;
  /** '' for the newest, v3 or a tag. */
  version: string;
  /** "0.8, 0.1, 0.1" (train, val, test), "train=0.9, val=0.1", or empty: not split. */
  split: string;
  where: string;
  seed: number;
}

export interface ISubmitValue {
  name: string;
  parameters: Record<string, unknown>;
  inputs: Record<string, IBoundInput>;
  cpus: number;
  gpus: number;
  /** Share of its one GPU's memory, above 0 to 1. */
  gpuShare: number;
  memoryGb: number | null;
  maxMemoryGb: number | null;
  timeoutMinutes: number | null;
  retries: number;
  priority: number;
  /** NAME=value, one a line. */
  variables: string;
  cold: boolean;
  /** Ids of jobs that have to succeed first. */
  after: readonly string[];
}

export const DEFAULTS: ISubmitValue = {
  name: '',
  parameters: {},
  inputs: {},
  cpus: 1,
  gpus: 0,
  gpuShare: 1,
  memoryGb: null,
  maxMemoryGb: null,
  timeoutMinutes: null,
  retries: 2,
  priority: 0,
  variables: '',
  cold: false,
  after: []
};

export const EMPTY_INPUT: IBoundInput = { dataset: '', version: '', split: '', where: '', seed: 0 };

const SPLIT_NAMES: Record<number, string[]> = {
  1: ['train'],
  2: ['train', 'test'],
  3: ['train', 'val', 'test']
};

/** Fractions as the API wants them; null when not split, undefined when they make no sense. */
export function parseSplit(text: string): Record<string, number> | null | undefined {
  if (!text.trim()) {
    return null;
  }
  const words = text.split(/[,;\s]+/).filter(Boolean);
  const named = words.map(word => word.split('='));
  const names = named.every(pair => pair.length === 2)
    ? named.map(([name = '']) => name)
    : SPLIT_NAMES[words.length];
  const parts = named.map(pair => Number(pair[pair.length - 1]));
  const sum = parts.reduce((a, b) => a + b, 0);
  if (!names || parts.some(part => !(part > 0)) || Math.abs(sum - 1) > 1e-6) {
    return undefined;
  }
  return Object.fromEntries(names.map((name, i) => [name, parts[i] ?? 0]));
}

/** Environment variables of NAME=value lines; null where a line is no such pair. */
export function parseVariables(text: string): Record<string, string> | null {
  const lines = text.split('\n').filter(line => line.trim());
  const pairs = lines.map(line => /^\s*([A-Za-z_]\w*)=(.*)$/.exec(line));
  return pairs.every(pair => pair)
    ? Object.fromEntries(pairs.map(pair => [pair?.[1] ?? '', pair?.[2] ?? '']))
    : null;
}

/** The request; what is half written in the form is left out. */
export function submissionOf(
  { source, modules }: Pick<ISource, 'source' | 'modules'>,
  value: ISubmitValue
): SubmitRequest {
  const gigabytes = (size: number | null): number | null => (size ? Math.round(size * 1e9) : null);
  return {
    source,
    modules,
    name: value.name,
    parameters: value.parameters,
    inputs: inputsOf(value),
    resources: {
      cpus: value.cpus,
      gpus: value.gpus,
      gpu_share: value.gpuShare,
      memory_bytes: gigabytes(value.memoryGb)
    },
    timeout_seconds: value.timeoutMinutes ? value.timeoutMinutes * 60 : null,
    retries: value.retries,
    max_memory_bytes: gigabytes(value.maxMemoryGb),
    priority: value.priority,
    variables: parseVariables(value.variables) ?? {},
    cold: value.cold,
    after: [...value.after]
  };
}

function inputsOf(value: ISubmitValue): Record<string, InputRequest> {
  const bound = Object.entries(value.inputs).filter(([, input]) => input.dataset);
  return Object.fromEntries(
    bound.map(([name, input]) => [
      name,
      {
        dataset: input.version ? `${input.dataset}@${input.version}` : input.dataset,
        split: parseSplit(input.split) ?? null,
        where: input.where || null,
        seed: input.seed
      }
    ])
  );
}

/** Where a fix is made: in the form, in the notebook, or by the person. */
export function mendedIn(fix: Fix, finding: Finding): 'form' | 'document' | 'person' {
  switch (fix.action) {
    case 'bind-input':
    case 'rename-parameter':
    case 'set-resource':
      return 'form';
    case 'replace-line':
    case 'tag-parameters':
    case 'move-cell':
      return finding.place ? 'document' : 'person';
    default:
      return 'person';
  }
}

/** The form's value with a fix made in it. */
export function mend(value: ISubmitValue, fix: Fix): ISubmitValue {
  if (fix.action === 'bind-input') {
    const [dataset = '', version = ''] = fix.value.split('@');
    const old = value.inputs[fix.target] ?? EMPTY_INPUT;
    return { ...value, inputs: { ...value.inputs, [fix.target]: { ...old, dataset, version } } };
  }
  if (fix.action === 'rename-parameter') {
    const entries = Object.entries(value.parameters).map(([name, given]) => [
      name === fix.target ? fix.value : name,
      given
    ]);
    return { ...value, parameters: Object.fromEntries(entries) as Record<string, unknown> };
  }
  const wanted = fix.value === '' ? null : Number(fix.value);
  switch (fix.target) {
    case 'cpus':
      return { ...value, cpus: wanted ?? DEFAULTS.cpus };
    case 'gpus':
      return { ...value, gpus: wanted ?? DEFAULTS.gpus };
    case 'gpu_share':
      return { ...value, gpuShare: wanted ?? DEFAULTS.gpuShare };
    case 'memory_bytes':
      return { ...value, memoryGb: wanted === null ? null : wanted / 1e9 };
    case 'max_memory_bytes':
      return { ...value, maxMemoryGb: wanted === null ? null : wanted / 1e9 };
    default:
      return value;
  }
}
