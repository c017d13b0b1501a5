import { runIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Prediction, Problem } from '../api/types';
import {
  inputsOf,
  isPicture,
  isText,
  isWhole,
  labelsOf,
  probabilitiesOf,
  reshape
} from '../models/contract';
import type { IInput } from '../models/contract';
import { Button, Field } from './basics';
import { ProbabilityBars } from './charts';
import { DrawPad } from './drawPad';
import { useEnv } from './env';
import { ProblemNote } from './problem';

interface ITryIt {
  contract: Record<string, unknown> | null;
  ready: boolean;
  onPredict: (inputs: Record<string, unknown[]>) => Promise<Prediction>;
}

/** A form made from the contract; the answer beside it. */
export function TryIt(props: ITryIt): React.ReactElement {
  const { trans } = useEnv();
  const inputs = inputsOf(props.contract);
  const [values, setValues] = React.useState<Record<string, unknown>>({});
  const [answer, setAnswer] = React.useState<Prediction | null>(null);
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const [busy, setBusy] = React.useState(false);
  const ask = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      const asked = inputs.map(input => [input.name, [valueOf(input, values[input.name])]]);
      const example = inputs.length
        ? Object.fromEntries(asked)
        : JSON.parse(String(values[''] ?? '{}'));
      setAnswer(await props.onPredict(example));
    } catch (error) {
      setProblem(toProblem(error));
    }
    setBusy(false);
  };
  return (
    <form
      className="jp-dlsys-Try"
      onSubmit={event => {
        event.preventDefault();
        void ask();
      }}
    >
      {inputs.map(input => (
        <InputField
          key={input.name}
          input={input}
          value={values[input.name]}
          onChange={value => setValues(old => ({ ...old, [input.name]: value }))}
          onSend={() => void ask()}
        />
      ))}
      {inputs.length === 0 ? (
        <Field
          label={trans.__('Inputs as JSON')}
          hint={trans.__('The model has no contract: lists by name.')}
        >
          <textarea
            className="jp-dlsys-Input jp-mod-code"
            rows={4}
            placeholder={'{"inputs": [[1.0, 2.0]]}'}
            onChange={event => setValues({ '': event.target.value })}
          />
        </Field>
      ) : null}
      <div className="jp-dlsys-Actions">
        <Button
          submit
          kind="primary"
          icon={runIcon}
          label={trans.__('Predict')}
          busy={busy}
          disabled={!props.ready}
          needs="deployments.predict"
        />
        {props.ready ? null : (
          <span className="jp-dlsys-Weak">{trans.__('It answers when it is ready.')}</span>
        )}
      </div>
      {problem ? <ProblemNote problem={problem} /> : null}
      {answer ? <Answer answer={answer} labels={labelsOf(props.contract)} /> : null}
    </form>
  );
}

function valueOf(input: IInput, value: unknown): unknown {
  if (isText(input)) {
    return String(value ?? '');
  }
  if (isPicture(input)) {
    const size = input.shape.reduce((a, b) => a * b, 1);
    return reshape((value as number[] | undefined) ?? Array<number>(size).fill(0), input.shape);
  }
  if (input.shape.length) {
    const flat = String(value ?? '')
      .split(/[\s,;]+/)
      .filter(Boolean)
      .map(Number);
    return reshape(flat, input.shape);
  }
  return Number(value ?? 0);
}

function InputField(props: {
  input: IInput;
  value: unknown;
  onChange: (value: unknown) => void;
  onSend: () => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const { input } = props;
  if (isText(input)) {
    return (
      <Field label={input.name} hint={trans.__('Enter sends, Shift+Enter makes a new line.')}>
        <textarea
          className="jp-dlsys-Input"
          rows={3}
          value={String(props.value ?? '')}
          onChange={event => props.onChange(event.target.value)}
          onKeyDown={event => {
            if (event.key === 'Enter' && !event.shiftKey) {
              event.preventDefault();
              props.onSend();
            }
          }}
        />
      </Field>
    );
  }
  if (isPicture(input)) {
    return (
      <DrawPad
        name={input.name}
        shape={input.shape}
        highest={input.highest}
        onChange={props.onChange}
      />
    );
  }
  if (input.shape.length) {
    const size = input.shape.reduce((a, b) => a * b, 1);
    return (
      <Field label={input.name} hint={trans.__('%1 numbers', size)}>
        <textarea
          className="jp-dlsys-Input jp-mod-code"
          rows={2}
          value={String(props.value ?? '')}
          onChange={event => props.onChange(event.target.value)}
        />
      </Field>
    );
  }
  return (
    <Field label={input.name} hint={input.type}>
      <input
        className="jp-dlsys-Input"
        type="number"
        required
        step={isWhole(input) ? 1 : 'any'}
        value={String(props.value ?? '')}
        onChange={event => props.onChange(event.target.value)}
      />
    </Field>
  );
}

function Answer(props: { answer: Prediction; labels: string[] }): React.ReactElement {
  const { trans } = useEnv();
  const { answer } = props;
  const probabilities = probabilitiesOf(answer.outputs);
  const label = Object.entries(answer.outputs).find(
    ([key]) => key === 'label' || key === 'labels'
  )?.[1]?.[0];
  const best = probabilities
    ? props.labels[probabilities.indexOf(Math.max(...probabilities))]
    : undefined;
  const word = label ?? best;
  return (
    <div className="jp-dlsys-Answer" aria-live="polite">
      {word !== undefined ? <p className="jp-dlsys-Answer-word">{String(word)}</p> : null}
      {probabilities ? (
        <ProbabilityBars labels={props.labels} values={probabilities} />
      ) : word === undefined ? (
        <pre>{JSON.stringify(answer.outputs, null, 1)}</pre>
      ) : null}
      <small className="jp-dlsys-Weak">
        {trans.__('Version %1 in %2 ms', answer.model_version, answer.milliseconds.toFixed(1))} ·{' '}
        <code>{answer.request_id}</code>
      </small>
    </div>
  );
}
