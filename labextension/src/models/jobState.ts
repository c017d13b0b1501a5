/** What a job's events add up to. Pure: the same events give the same state. */
import type { IEvent } from '../api/types';
import { Terminal } from './terminal';

/** An nbformat output. */
export type Output = { output_type: string } & Record<string, unknown>;

/** An output of a cell. The text of a stream grows in `text`, all else is in `output`. */
export interface IShown {
  output: Output;
  text: Terminal | null;
  display: string;
  /** The event had no room for it: the notebook has all of it. */
  shortened: boolean;
  revision: number;
}

export interface ICell {
  index: number;
  type: 'code' | 'markdown' | 'raw';
  source: string;
  state: 'waiting' | 'running' | 'done' | 'failed';
  seconds: number | null;
  startedAt: number | null;
  outputs: IShown[];
  /** Grows with each change, so views know what to draw anew. */
  revision: number;
}

export interface IMetric {
  key: string;
  steps: number[];
  values: (number | null)[];
  revision: number;
}

export type WidgetState = Record<string, unknown>;

/** What the cells showed in an attempt that was followed by another. */
export interface IPast {
  number: number;
  cells: Map<number, ICell>;
}

export interface IJobState {
  cells: Map<number, ICell>;
  log: Terminal;
  metrics: Map<string, IMetric>;
  phase: string;
  clearing: Set<number>;
  /** Last state of ipywidgets by model id; null for one that was closed. */
  widgets: Map<string, WidgetState | null>;
  widgetRevision: number;
  attempt: number;
  past: IPast[];
  /** The notebook has changed in a way that events do not tell (a cell was put in). */
  stale: boolean;
}

const LOG_LIMIT = 2_000_000;
const SOURCE_CAP = 20_000;
const WIDGETS = 'application/vnd.jupyter.widget-state+json';

export function emptyState(): IJobState {
  return {
    cells: new Map(),
    log: new Terminal(LOG_LIMIT),
    metrics: new Map(),
    phase: '',
    clearing: new Set(),
    widgets: new Map(),
    widgetRevision: 0,
    attempt: 0,
    past: [],
    stale: false
  };
}

/** Take one event in. */
export function apply(state: IJobState, event: IEvent): void {
  const payload = event.payload ?? {};
  switch (event.topic) {
    case 'job.cell':
      return applyCell(state, payload, Date.parse(event.at));
    case 'job.output':
      return applyOutput(state, payload);
    case 'job.widgets':
      return applyWidgets(state, payload);
    case 'job.log':
      return state.log.add(text(payload['text']));
    case 'job.metric':
      return addPoint(state, payload);
    case 'job.error':
      return applyError(state, payload);
    case 'job.attempt':
      return applyAttempt(state, Number(payload['number'] ?? 0));
    case 'job.phase':
      state.phase = text(payload['phase']);
  }
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

/** Is there an output of which only words came? */
export function isShortened(state: IJobState): boolean {
  return [...state.cells.values()].some(cell => cell.outputs.some(shown => shown.shortened));
}

function applyCell(state: IJobState, payload: Record<string, unknown>, at: number): void {
  const cell = cellAt(state, Number(payload['index'] ?? 0));
  const source = payload['source'];
  if (typeof source === 'string' && !cell.source.startsWith(source)) {
    state.stale ||= cell.source !== '' || source.length >= SOURCE_CAP;
    cell.type = 'code';
    cell.source = source;
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

/** A new attempt starts the cells afresh; what the one before showed is kept. */
function applyAttempt(state: IJobState, number: number): void {
  if (number <= state.attempt) {
    return;
  }
  const before = [...state.cells.values()];
  if (before.some(cell => cell.state !== 'waiting')) {
    state.past.push({ number: Math.max(1, state.attempt), cells: state.cells });
    state.cells = new Map(
      before.map(cell => [
        cell.index,
        { ...cell, state: 'waiting', seconds: null, startedAt: null, outputs: [], revision: 0 }
      ])
    );
    state.log.add(`\n──── ${number} ────\n`);
  }
  state.attempt = number;
  state.clearing.clear();
  state.phase = '';
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
    addOutput(cell.outputs, output, text(payload['display_id']));
    if (output.output_type === 'stream') {
      state.log.add(text(output['text']));
    }
  }
  cell.revision++;
}

function applyWidgets(state: IJobState, payload: Record<string, unknown>): void {
  const states = (payload['states'] ?? {}) as Record<string, WidgetState | null>;
  for (const [id, changed] of Object.entries(states)) {
    state.widgets.set(id, changed && { ...state.widgets.get(id), ...changed });
  }
  state.widgetRevision++;
}

/** Add an output as a notebook does: text goes on where the same stream wrote last. */
export function addOutput(outputs: IShown[], output: Output, display = ''): void {
  const last = outputs[outputs.length - 1];
  if (output.output_type === 'stream' && last?.text && last.output['name'] === output['name']) {
    last.text.add(text(output['text']));
    last.revision++;
    return;
  }
  outputs.push(toShown(output, display));
}

function toShown(output: Output, display: string): IShown {
  const metadata = output['metadata'] as Record<string, unknown> | undefined;
  const shortened = !!(metadata?.['dlsys'] as Record<string, unknown> | undefined)?.['kept'];
  if (output.output_type !== 'stream') {
    return { output, text: null, display, shortened, revision: 0 };
  }
  const stream = new Terminal();
  stream.add(text(output['text']));
  const bare = { output_type: 'stream', name: output['name'] };
  return { output: bare, text: stream, display, shortened, revision: 0 };
}

function replaceDisplay(state: IJobState, id: string, output: Output): void {
  for (const cell of state.cells.values()) {
    cell.outputs.forEach((old, i) => {
      if (old.display === id) {
        cell.outputs[i] = { ...toShown(output, id), revision: old.revision + 1 };
        cell.revision++;
      }
    });
  }
}

function applyError(state: IJobState, payload: Record<string, unknown>): void {
  const traceback = payload['traceback'];
  state.log.add(Array.isArray(traceback) ? `${traceback.join('\n')}\n` : '');
  if (typeof payload['cell'] !== 'number') {
    return;
  }
  const cell = cellAt(state, payload['cell']);
  cell.state = 'failed';
  if (!cell.outputs.some(({ output }) => output.output_type === 'error')) {
    const { ename, evalue } = payload;
    addOutput(cell.outputs, { output_type: 'error', ename, evalue, traceback });
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

type RawCell = Record<string, unknown>;
interface INotebook {
  cells?: RawCell[];
  metadata?: { widgets?: Record<string, { state?: Record<string, { state?: WidgetState }> }> };
}

/**
 * Put the notebook as it was last saved together with what the events told.
 *
 * Of a running job the events know more; of an ended one (`whole`) the notebook does, as events
 * shorten large outputs. Cells to come are only in the notebook.
 */
export function mergeNotebook(state: IJobState, notebook: unknown, whole: boolean): void {
  const { cells = [], metadata } = (notebook ?? {}) as INotebook;
  const fits = cells.map((raw, index) => mergeCell(cellAt(state, index), raw, whole));
  const saved = metadata?.widgets?.[WIDGETS]?.state ?? {};
  for (const [id, widget] of Object.entries(saved)) {
    if (widget.state && !state.widgets.has(id)) {
      state.widgets.set(id, widget.state);
      state.widgetRevision++;
    }
  }
  state.stale &&= !notebook || fits.includes(false);
}

/** Take over a cell of the notebook; false when it is another cell than the events tell of. */
function mergeCell(cell: ICell, raw: RawCell, whole: boolean): boolean {
  const source = text(raw['source']);
  if (cell.state === 'waiting' || source.startsWith(cell.source)) {
    cell.type = (raw['cell_type'] as ICell['type']) ?? 'code';
    cell.source = source;
  } else if (!whole) {
    return false; // saved before a cell was put in: its outputs belong elsewhere
  }
  const saved = (raw['outputs'] as Output[] | undefined) ?? [];
  const outputs: IShown[] = [];
  saved.forEach(output => addOutput(outputs, output));
  if (whole ? outputs.length > 0 : cell.outputs.length === 0 && cell.state !== 'running') {
    cell.outputs = outputs;
  } else {
    cell.outputs.forEach((shown, i) => {
      const full = outputs[i];
      if (shown.shortened && full && full.output.output_type === shown.output.output_type) {
        cell.outputs[i] = { ...full, display: shown.display, revision: shown.revision + 1 };
      }
    });
  }
  cell.revision++;
  return true;
}

/** How cells went by the notebook alone, for what is shown before the events are there. */
export function cellStates(state: IJobState, notebook: unknown): void {
  const words: Record<string, ICell['state']> = {
    completed: 'done',
    failed: 'failed',
    running: 'running'
  };
  ((notebook as INotebook | null)?.cells ?? []).forEach((raw, index) => {
    const cell = cellAt(state, index);
    const told = (raw['metadata'] as RawCell | undefined)?.['papermill'] as RawCell | undefined;
    cell.state = words[text(told?.['status'])] ?? cell.state;
    cell.seconds = typeof told?.['duration'] === 'number' ? told['duration'] : cell.seconds;
  });
}
