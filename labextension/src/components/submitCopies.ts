import type { ICopies } from './copyMenu';
import type { ISubmitValue } from './submitForm';

const quote = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;

/** The submission said to each door. */
export function submitCopies(path: string, value: ISubmitValue): ICopies {
  const inputs = Object.entries(value.inputs).filter(([, input]) => input.dataset);
  const ref = (dataset: string, version: string): string =>
    version ? `${dataset}@${version}` : dataset;
  const words = [
    quote(path),
    ...inputs.map(([name, input]) => `-d ${name}=${ref(input.dataset, input.version)}`),
    ...(inputs[0]?.[1].split ? [`--split ${inputs[0][1].split.replace(/\s+/g, '')}`] : []),
    ...Object.entries(value.parameters).map(
      ([name, given]) => `-p ${quote(`${name}=${shown(given)}`)}`
    ),
    ...(value.cpus !== 1 ? [`--cpus ${value.cpus}`] : []),
    ...(value.gpus ? [`--gpus ${value.gpus}`] : []),
    ...(value.memoryGb ? [`--memory ${value.memoryGb}`] : []),
    ...(value.name ? [`--name ${quote(value.name)}`] : [])
  ].join(' ');
  const data = Object.fromEntries(
    inputs.map(([name, input]) => [name, ref(input.dataset, input.version)])
  );
  const python =
    'import jupyter_dlsys as dlsys\n\n' +
    `job = dlsys.connect().jobs.submit(${JSON.stringify(path)}, inputs=${JSON.stringify(data)}, ` +
    `parameters=${pythonLiteral(value.parameters)})`;
  return { magic: `%dlsys submit ${words} --watch`, cli: `dlsys submit ${words} --watch`, python };
}

const shown = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value);

function pythonLiteral(value: unknown): string {
  if (value === null || value === undefined) {
    return 'None';
  }
  if (typeof value === 'boolean') {
    return value ? 'True' : 'False';
  }
  if (Array.isArray(value)) {
    return `[${value.map(pythonLiteral).join(', ')}]`;
  }
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}: ${pythonLiteral(item)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}
