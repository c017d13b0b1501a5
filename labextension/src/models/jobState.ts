/** What a job's events add up to. Pure: the same events give the same state. */
import type { IEvent } from '../api/types';
import { extend } from './text';

/** An nbformat output. */
export type Output = { output_type: string } & Record<string, unknown>;

export interface ICell {
  index: number;
  type: 'code' | 'markdown' | 'raw';
  source: string;
  state: 'waiting' | 'running' | 'done' | 'failed';
  seconds: number | null;
  startedAt: number | null;
  outputs: Output[];
  /** Grows with each change, so views know what to draw anew. */
  revision: number;
}

export interface IMetric {
  key: string;
  steps: number[];
  values: (number | null)[];
  revision: number;
}

export interface IJobState {
  cells: Map<number, ICell>;
  log: string;
  metrics: Map<string, IMetric>;
  phase: string;
  clearing: Set<number>;
}

const LOG_LIMIT = 2_000_000;
const DISPLAY = 'dlsys_display_id';

export function emptyState(): IJobState {
  return { cells: new Map(), log: '', metrics: new Map(), phase: '', clearing: new Set() };
}

/** Take one event in. */
export function apply(state: IJobState, event: IEvent): void {
  const payload = event.payload ?? {};
  switch (event.topic) {
    case 'job.cell':
      return applyCell(state, payload, Date.parse(event.at));
    case 'job.output':
      return applyOutput(state, payload);
    case 'job.log':
      return addLog(state, text(payload['text']));
    case 'job.metric':
      return addPoint(state, payload);
    case 'job.error':
      return applyError(state, payload);
    case 'job.phase':
      state.phase = text(payload['phase']);
  }
}

function addLog(state: IJobState, more: string): void {
  state.log = extend(state.log, more).slice(-LOG_LIMIT);
}

/** The cell of an index, made when it is new. */
export function cellAt(state: IJobState, index: number): ICell {
  let cell = state.cells.get(index);
  if (!cell) {
    cell = {
      index,
      type: 'code',
      source: '',
      state: 'waiting',
      seconds: null,
      startedAt: null,
      outputs: [],
      revision: 0
    };
    state.cells.set(index, cell);
  }
  return cell;
}

function applyCell(state: IJobState, payload: Record<string, unknown>, at: number): void {
  const cell = cellAt(state, Number(payload['index'] ?? 0));
  if (typeof payload['source'] === 'string' && !cell.source) {
    cell.source = payload['source'];
  }
  if (payload['phase'] === 'start') {
    cell.state = 'running';
    cell.startedAt = at;
    cell.outputs = [];
  } else {
    cell.state = payload['ok'] === false ? 'failed' : 'done';
    cell.seconds = typeof payload['seconds'] === 'number' ? payload['seconds'] : cell.seconds;
  }
  cell.revision++;
}

function applyOutput(state: IJobState, payload: Record<string, unknown>): void {
  const index = Number(payload['cell'] ?? 0);
  const cell = cellAt(state, index);
  if (payload['clear']) {
    if (payload['wait'] === true) {
      state.clearing.add(index);
    } else {
      cell.outputs = [];
    }
  }
  const output = payload['output'] as Output | undefined;
  if (output && payload['update_display_id']) {
    replaceDisplay(state, text(payload['update_display_id']), output);
  } else if (output) {
    if (state.clearing.delete(index)) {
      cell.outputs = [];
    }
    const display = text(payload['display_id']);
    cell.outputs = addOutput(cell.outputs, display ? { ...output, [DISPLAY]: display } : output);
    if (output.output_type === 'stream') {
      addLog(state, text(output['text']));
    }
  }
  cell.revision++;
}

function addOutput(outputs: Output[], output: Output): Output[] {
  const last = outputs[outputs.length - 1];
  if (output.output_type !== 'stream') {
    return [...outputs, output];
  }
  const before =
    last?.output_type === 'stream' && last['name'] === output['name'] ? text(last['text']) : null;
  const joined = { ...output, text: extend(before ?? '', text(output['text'])) };
  return before === null ? [...outputs, joined] : [...outputs.slice(0, -1), joined];
}

function replaceDisplay(state: IJobState, id: string, output: Output): void {
  for (const cell of state.cells.values()) {
    const outputs = cell.outputs.map(old =>
      old[DISPLAY] === id ? { ...output, [DISPLAY]: id } : old
    );
    if (outputs.some((item, i) => item !== cell.outputs[i])) {
      cell.outputs = outputs;
      cell.revision++;
    }
  }
}

function applyError(state: IJobState, payload: Record<string, unknown>): void {
  const traceback = payload['traceback'];
  addLog(state, Array.isArray(traceback) ? `${traceback.join('\n')}\n` : '');
  if (typeof payload['cell'] !== 'number') {
    return;
  }
  const cell = cellAt(state, payload['cell']);
  cell.state = 'failed';
  if (!cell.outputs.some(output => output.output_type === 'error')) {
    const { ename, evalue } = payload;
    cell.outputs = [...cell.outputs, { output_type: 'error', ename, evalue, traceback }];
  }
  cell.revision++;
}

/** Add a point, keeping steps in order and one value a step. */
export function addPoint(state: IJobState, point: Record<string, unknown>): void {
  const key = text(point['key']);
  const step = Number(point['step'] ?? 0);
  const value = typeof point['value'] === 'number' ? point['value'] : null;
  const metric = state.metrics.get(key) ?? { key, steps: [], values: [], revision: 0 };
  metric.revision++;
  let at = metric.steps.length;
  while (at > 0 && (metric.steps[at - 1] ?? 0) >= step) {
    at--;
  }
  const same = metric.steps[at] === step ? 1 : 0;
  metric.steps.splice(at, same, step);
  metric.values.splice(at, same, value);
  state.metrics.set(key, metric);
}

/** nbformat texts are a string or a list of lines. */
export function text(value: unknown): string {
  return Array.isArray(value) ? value.join('') : typeof value === 'string' ? value : '';
}

/**
 * Put the notebook as it was last saved together with what the events told.
 *
 * Of a running job the events know more; of an ended one (`whole`) the notebook does, as events
 * shorten large outputs. Sources always come from the notebook: events carry only their beginning.
 */
export function mergeNotebook(state: IJobState, notebook: unknown, whole: boolean): void {
  const cells = (notebook as { cells?: Record<string, unknown>[] } | null)?.cells ?? [];
  cells.forEach((raw, index) => {
    const cell = cellAt(state, index);
    cell.type = (raw['cell_type'] as ICell['type']) ?? 'code';
    cell.source = text(raw['source']);
    const outputs = (raw['outputs'] as Output[] | undefined) ?? [];
    if (outputs.length > 0 && (whole || cell.outputs.length === 0)) {
      cell.outputs = outputs.reduce<Output[]>(addOutput, []);
    }
    cell.revision++;
  });
}
