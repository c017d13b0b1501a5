import * as React from 'react';

import type { Dataset, Job, NotebookInfo } from '../api/types';
import { DEFAULTS, EMPTY_INPUT, parseVariables } from '../models/submission';
import type { IBoundInput, ISubmitValue } from '../models/submission';
import { Chip, Field, Section } from './basics';
import { useEnv } from './env';
import { InputPicker } from './inputPicker';
import { ParameterFields } from './parameterFields';

export interface ISubmissionSource {
  info: NotebookInfo;
  datasets: readonly Dataset[];
  /** Jobs that this one may wait for. */
  jobs: readonly Job[];
  /** GPUs that exist. */
  gpus: number;
  /** Data to bind first, e.g. tweets@v1. */
  dataset?: string | undefined;
  /** What was filled in for this file before. */
  given?: ISubmitValue | undefined;
  /** What the source itself says of an input. */
  guess: (name: string) => { dataset: string; split: string };
}

/** What the form starts with: what was given, else data bound as source and names suggest. */
export function initialValue(props: ISubmissionSource): ISubmitValue {
  if (props.given) {
    return props.given;
  }
  const names = props.info.inputs?.length ? props.info.inputs : props.dataset ? ['data'] : [];
  const inputs: Record<string, IBoundInput> = {};
  names.forEach((name, i) => {
    const wanted = i === 0 ? props.dataset : undefined;
    const said = props.guess(name);
    const known = [said.dataset, name].find(item => props.datasets.some(d => d.name === item));
    const chosen = wanted ?? known ?? props.datasets[0]?.name ?? '';
    const [dataset = '', version = ''] = chosen.split('@');
    inputs[name] = { ...EMPTY_INPUT, dataset, version, split: said.split };
  });
  return { ...DEFAULTS, inputs };
}

interface IFields {
  value: ISubmitValue;
  change: (patch: Partial<ISubmitValue>) => void;
}

/** Data, parameters, resources, and the rest behind "More". */
export function SubmissionFields(props: ISubmissionSource & IFields): React.ReactElement {
  const { trans } = useEnv();
  const { value, change } = props;
  return (
    <>
      <InputPicker
        datasets={props.datasets}
        inputs={value.inputs}
        onChange={inputs => change({ inputs })}
      />
      <Section title={trans.__('Parameters')}>
        <ParameterFields
          parameters={props.info.parameters ?? []}
          values={value.parameters}
          onChange={parameters => change({ parameters })}
        />
      </Section>
      <Section title={trans.__('Resources')}>
        <ResourceFields {...props} />
      </Section>
      <More {...props} />
    </>
  );
}

interface INumber {
  label: string;
  hint?: string;
  value: number | null;
  min?: number;
  max?: number;
  step?: number | 'any';
  disabled?: boolean;
  onChange: (value: number | null) => void;
}

export function NumberField(props: INumber): React.ReactElement {
  return (
    <Field label={props.label} hint={props.hint}>
      <input
        className="jp-dlsys-Input"
        type="number"
        min={props.min}
        max={props.max}
        step={props.step ?? 1}
        disabled={props.disabled}
        value={props.value ?? ''}
        onChange={event =>
          props.onChange(event.target.value === '' ? null : Number(event.target.value))
        }
      />
    </Field>
  );
}

function ResourceFields(props: IFields & { gpus: number }): React.ReactElement {
  const { trans } = useEnv();
  const { value, change } = props;
  return (
    <div className="jp-dlsys-Grid">
      <NumberField
        label={trans.__('CPU cores')}
        min={0.5}
        step={0.5}
        value={value.cpus}
        onChange={cpus => change({ cpus: cpus ?? DEFAULTS.cpus })}
      />
      <NumberField
        label={trans.__('GPUs')}
        hint={props.gpus ? trans.__('%1 here', props.gpus) : trans.__('none here')}
        min={0}
        value={value.gpus}
        onChange={gpus => change({ gpus: gpus ?? 0 })}
      />
      <NumberField
        label={trans.__('Memory limit, GB')}
        hint={trans.__('empty: none')}
        min={0.1}
        step={0.1}
        value={value.memoryGb}
        onChange={memoryGb => change({ memoryGb })}
      />
      <Field label={trans.__('Name of the job')} hint={trans.__('empty: the file name')}>
        <input
          className="jp-dlsys-Input"
          maxLength={200}
          value={value.name}
          onChange={event => change({ name: event.target.value })}
        />
      </Field>
    </div>
  );
}

function More(props: ISubmissionSource & IFields): React.ReactElement {
  const { trans } = useEnv();
  return (
    <details className="jp-dlsys-Fold">
      <summary>{trans.__('More')}</summary>
      <div className="jp-dlsys-Grid">
        <LimitFields {...props} />
      </div>
      <VariablesField {...props} />
      <AfterField {...props} />
    </details>
  );
}

function LimitFields(props: IFields): React.ReactElement {
  const { trans } = useEnv();
  const { value, change } = props;
  return (
    <>
      <NumberField
        label={trans.__('Time limit, minutes')}
        hint={trans.__('empty: none')}
        min={0.1}
        step="any"
        value={value.timeoutMinutes}
        onChange={timeoutMinutes => change({ timeoutMinutes })}
      />
      <NumberField
        label={trans.__('Retries')}
        hint={trans.__('when the worker is lost')}
        min={0}
        max={20}
        value={value.retries}
        onChange={retries => change({ retries: retries ?? DEFAULTS.retries })}
      />
      <NumberField
        label={trans.__('Memory at most, GB')}
        hint={trans.__('out of memory: again with more, up to this')}
        min={0.1}
        step={0.1}
        value={value.maxMemoryGb}
        onChange={maxMemoryGb => change({ maxMemoryGb })}
      />
      <NumberField
        label={trans.__('Priority')}
        hint={trans.__('-100 to 100, higher is earlier')}
        min={-100}
        max={100}
        value={value.priority}
        onChange={priority => change({ priority: priority ?? 0 })}
      />
      <NumberField
        label={trans.__('Share of the GPU')}
        hint={trans.__('below 1: others may use it too')}
        min={0.05}
        max={1}
        step={0.05}
        disabled={value.gpus !== 1}
        value={value.gpuShare}
        onChange={gpuShare => change({ gpuShare: gpuShare || 1 })}
      />
      <Field label={trans.__('Fresh process')} hint={trans.__('not from the warm one')}>
        <input
          type="checkbox"
          checked={value.cold}
          onChange={event => change({ cold: event.target.checked })}
        />
      </Field>
    </>
  );
}

function VariablesField(props: IFields): React.ReactElement {
  const { trans } = useEnv();
  const wrong = parseVariables(props.value.variables) === null;
  return (
    <Field
      label={trans.__('Environment variables')}
      hint={trans.__('one a line; kept with the job, so no passwords')}
      error={wrong ? trans.__('write each line as NAME=value') : undefined}
    >
      <textarea
        className="jp-dlsys-Input jp-mod-code"
        rows={2}
        placeholder="NAME=value"
        spellCheck={false}
        value={props.value.variables}
        onChange={event => props.change({ variables: event.target.value })}
      />
    </Field>
  );
}

function AfterField(props: IFields & { jobs: readonly Job[] }): React.ReactElement {
  const { trans } = useEnv();
  const { value, change } = props;
  const open = props.jobs.filter(job => !value.after.includes(job.id));
  const name = (id: string): string => props.jobs.find(job => job.id === id)?.name ?? id;
  return (
    <>
      <Field label={trans.__('After these jobs')} hint={trans.__('starts when they succeeded')}>
        <select
          className="jp-dlsys-Input"
          value=""
          disabled={open.length === 0}
          onChange={event => change({ after: [...value.after, event.target.value] })}
        >
          <option value="">
            {open.length ? trans.__('choose a job…') : trans.__('no job waits or runs')}
          </option>
          {open.map(job => (
            <option key={job.id} value={job.id}>
              {job.name}
            </option>
          ))}
        </select>
      </Field>
      <div className="jp-dlsys-Chips">
        {value.after.map(id => (
          <Chip
            key={id}
            text={name(id)}
            title={id}
            onRemove={() => change({ after: value.after.filter(item => item !== id) })}
          />
        ))}
      </div>
    </>
  );
}
