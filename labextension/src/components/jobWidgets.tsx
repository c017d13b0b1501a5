import * as React from 'react';

import { addOutput, text } from '../models/jobState';
import type { IShown, Output, WidgetState } from '../models/jobState';
import { useEnv } from './env';
import { metric } from './format';
import { MimeBundle } from './mimeOutput';
import { Outputs } from './outputView';
import { useWidgets } from './widgetStates';

const REFERENCE = 'IPY_MODEL_';
const DEPTH = 20;

/** A widget as it last looked. It is a picture of the widget: nothing can be moved or pressed. */
export default function JobWidget(props: { id: string; depth?: number }): React.ReactElement {
  const states = useWidgets();
  const state = states.get(props.id);
  const depth = props.depth ?? 0;
  if (!state || depth > DEPTH) {
    return <></>;
  }
  const layout = lookUp(states, state['layout']);
  if (layout?.['display'] === 'none' || layout?.['visibility'] === 'hidden') {
    return <></>;
  }
  const body = draw(text(state['_model_name']), state, depth);
  return depth === 0 ? <div className="jp-dlsys-Widget">{body}</div> : body;
}

function draw(name: string, state: WidgetState, depth: number): React.ReactElement {
  if (Array.isArray(state['children'])) {
    return <Box name={name} state={state} depth={depth} />;
  }
  if (/Progress/.test(name)) {
    return <Progress state={state} />;
  }
  if (/^(HTML|HTMLMath|Label)Model$/.test(name)) {
    return (
      <Described state={state}>
        <Words value={text(state['value'])} plain={name === 'LabelModel'} />
      </Described>
    );
  }
  if (name === 'OutputModel') {
    return <OutputBox state={state} />;
  }
  if (/^(Button|ToggleButton)Model$/.test(name)) {
    return (
      <button type="button" className="jp-dlsys-Button" disabled>
        {text(state['description'])}
      </button>
    );
  }
  return (
    <Described state={state}>
      <Value name={name} state={state} />
    </Described>
  );
}

function lookUp(states: ReturnType<typeof useWidgets>, reference: unknown): WidgetState | null {
  const id = text(reference);
  return (id.startsWith(REFERENCE) && states.get(id.slice(REFERENCE.length))) || null;
}

function Box(props: { name: string; state: WidgetState; depth: number }): React.ReactElement {
  const { name, state, depth } = props;
  const titles = (state['titles'] ?? []) as unknown[];
  const row = /^(HBox|Box|GridBox)Model$/.test(name);
  return (
    <div className={`jp-dlsys-Widget-box${row ? ' jp-mod-row' : ''}`}>
      {(state['children'] as unknown[]).map((child, i) => (
        <React.Fragment key={i}>
          {titles[i] ? <strong>{text(titles[i])}</strong> : null}
          <JobWidget id={text(child).slice(REFERENCE.length)} depth={depth + 1} />
        </React.Fragment>
      ))}
    </div>
  );
}

/** A description in front of something. */
function Described(props: { state: WidgetState; children: React.ReactNode }): React.ReactElement {
  const description = text(props.state['description']);
  return (
    <span className="jp-dlsys-Widget-item">
      {description ? <Words value={description} /> : null}
      {props.children}
    </span>
  );
}

function Progress(props: { state: WidgetState }): React.ReactElement {
  const { trans } = useEnv();
  const { state } = props;
  const [min, max, value] = [
    Number(state['min'] ?? 0),
    Number(state['max'] ?? 100),
    Number(state['value'] ?? 0)
  ];
  const part = max > min ? Math.min(1, Math.max(0, (value - min) / (max - min))) : 0;
  return (
    <Described state={state}>
      <span
        className={`jp-dlsys-Widget-bar jp-mod-${text(state['bar_style']) || 'plain'}`}
        role="progressbar"
        aria-label={text(state['description']) || trans.__('Progress')}
        aria-valuemin={min}
        aria-valuemax={max}
        aria-valuenow={value}
      >
        <span style={{ width: `${100 * part}%` }} />
      </span>
    </Described>
  );
}

/** HTML of a widget, sanitised by the host; what has no markup is drawn at once. */
function Words(props: { value: string; plain?: boolean }): React.ReactElement {
  const data = React.useMemo(() => ({ 'text/html': props.value }), [props.value]);
  if (props.plain) {
    return <span>{props.value}</span>;
  }
  if (!props.value.includes('<')) {
    const parsed = new DOMParser().parseFromString(props.value, 'text/html');
    return <span>{parsed.body.textContent}</span>;
  }
  return <MimeBundle data={data} className="jp-dlsys-Widget-html" />;
}

function OutputBox(props: { state: WidgetState }): React.ReactElement {
  const raw = props.state['outputs'];
  const outputs = React.useMemo(() => {
    const shown: IShown[] = [];
    ((raw ?? []) as Output[]).forEach(output => addOutput(shown, output));
    return shown;
  }, [raw]);
  return (
    <div>
      <Outputs outputs={outputs} />
    </div>
  );
}

/** Sliders, fields, boxes to tick: what is set there. */
function Value(props: { name: string; state: WidgetState }): React.ReactElement {
  const { trans } = useEnv();
  const { name, state } = props;
  const labels = state['_options_labels'];
  if (Array.isArray(labels)) {
    const chosen = Array.isArray(state['index']) ? state['index'] : [state['index']];
    const words = chosen.map(at => text(labels[Number(at ?? -1)])).filter(Boolean);
    return <Held text={words.join(', ') || '–'} />;
  }
  const value = state['value'];
  if (typeof value === 'boolean') {
    return <input type="checkbox" checked={value} disabled readOnly />;
  }
  if (name === 'PasswordModel') {
    return <Held text="•••" />;
  }
  if (typeof value === 'number' && /Slider/.test(name)) {
    return (
      <>
        <input
          type="range"
          min={Number(state['min'] ?? 0)}
          max={Number(state['max'] ?? 100)}
          step="any"
          value={value}
          disabled
          readOnly
        />
        <span className="jp-mod-number">{metric(value)}</span>
      </>
    );
  }
  if (typeof value === 'number' || typeof value === 'string') {
    return <Held text={typeof value === 'number' ? metric(value) : value} />;
  }
  if (Array.isArray(value)) {
    return <Held text={value.map(String).join(' – ')} />;
  }
  return <Held text={trans.__('A widget (%1)', name.replace(/Model$/, '') || '?')} />;
}

function Held(props: { text: string }): React.ReactElement {
  return <span className="jp-dlsys-Widget-value">{props.text}</span>;
}
