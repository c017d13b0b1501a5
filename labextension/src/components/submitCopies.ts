import type { ICopies } from './copyMenu';
import { pythonLiteral, quote } from './literals';
import { DEFAULTS, parseSplit, parseVariables } from '../models/submission';
import type { ISubmitValue } from '../models/submission';

/** The submission said to each door. */
export function submitCopies(path: string, value: ISubmitValue): ICopies {
  const words = ['submit', ...submitWords(path, value)].join(' ');
  const python =
    'import jupyter_dlsys as dlsys\n\n' +
    `job = dlsys.connect().jobs.submit(${pythonArguments(path, value).join(', ')})`;
  return { magic: `%dlsys ${words} --watch`, cli: `dlsys ${words} --watch`, python };
}

/** Words of the command line, after the verb. */
export function submitWords(path: string, value: ISubmitValue): string[] {
  const inputs = Object.entries(value.inputs).filter(([, input]) => input.dataset);
  const first = inputs[0]?.[1];
  const option = (name: string, given: string | number | null, usual: unknown): string[] =>
    given === usual || given === null ? [] : [`--${name} ${quote(String(given))}`];
  return [
    quote(path),
    ...inputs.map(([name, input]) => `-d ${quote(`${name}=${ref(input.dataset, input.version)}`)}`),
    ...option('split', first?.split.replace(/\s+/g, '') || null, null),
    ...option('where', first?.where || null, null),
    ...Object.entries(value.parameters).map(
      ([name, given]) => `-p ${quote(`${name}=${shown(given)}`)}`
    ),
    ...option('cpus', value.cpus, DEFAULTS.cpus),
    ...option('gpus', value.gpus, DEFAULTS.gpus),
    ...option('gpu-share', value.gpuShare, DEFAULTS.gpuShare),
    ...option('memory', size(value.memoryGb), null),
    ...option('max-memory', size(value.maxMemoryGb), null),
    ...option('timeout', seconds(value), null),
    ...option('retries', value.retries, DEFAULTS.retries),
    ...option('priority', value.priority, DEFAULTS.priority),
    ...value.after.map(job => `--after ${job}`),
    ...Object.entries(parseVariables(value.variables) ?? {}).map(
      ([name, given]) => `--env ${quote(`${name}=${given}`)}`
    ),
    ...(value.cold ? ['--cold'] : []),
    ...option('name', value.name || null, null)
  ];
}

/** Arguments of the Python call. */
export function pythonArguments(path: string, value: ISubmitValue): string[] {
  const inputs = Object.entries(value.inputs)
    .filter(([, input]) => input.dataset)
    .map(([name, input]) => {
      const dataset = ref(input.dataset, input.version);
      const split = parseSplit(input.split);
      return [
        name,
        split || input.where
          ? { dataset, ...(split ? { split } : {}), ...(input.where ? { where: input.where } : {}) }
          : dataset
      ];
    });
  const given: Record<string, unknown> = {
    inputs: Object.fromEntries(inputs),
    parameters: value.parameters,
    name: value.name,
    cpus: value.cpus,
    gpus: value.gpus,
    gpu_share: value.gpuShare,
    memory: size(value.memoryGb),
    max_memory: size(value.maxMemoryGb),
    timeout: seconds(value),
    retries: value.retries,
    priority: value.priority,
    after: value.after,
    variables: parseVariables(value.variables) ?? {},
    cold: value.cold
  };
  const usual: Record<string, unknown> = {
    cpus: DEFAULTS.cpus,
    gpus: DEFAULTS.gpus,
    gpu_share: DEFAULTS.gpuShare,
    retries: DEFAULTS.retries,
    priority: DEFAULTS.priority
  };
  const said = Object.entries(given).filter(
    ([name, item]) =>
      item !== usual[name] &&
      item !== null &&
      item !== '' &&
      item !== false &&
      !(typeof item === 'object' && Object.keys(item).length === 0)
  );
  return [JSON.stringify(path), ...said.map(([name, item]) => `${name}=${pythonLiteral(item)}`)];
}

const ref = (dataset: string, version: string): string =>
  version ? `${dataset}@${version}` : dataset;

/** Bytes, as both doors take them: GB of the form are powers of 1000. */
const size = (gigabytes: number | null): number | null =>
  gigabytes ? Math.round(gigabytes * 1e9) : null;

const seconds = (value: ISubmitValue): number | null =>
  value.timeoutMinutes ? Math.round(value.timeoutMinutes * 60) : null;

const shown = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value);
