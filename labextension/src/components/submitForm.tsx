import { notebookIcon, refreshIcon, runIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Dataset, NotebookInfo, Problem } from '../api/types';
import { Badge, Button, EmptyState, Field, Section, Skeleton } from './basics';
import { CopyMenu } from './copyMenu';
import { useEnv } from './env';
import { InputPicker } from './inputPicker';
import type { IBoundInput } from './inputPicker';
import { ParameterFields } from './parameterFields';
import { ProblemNote } from './problem';
import { submitCopies } from './submitCopies';

export interface ISubmitValue {
  name: string;
  parameters: Record<string, unknown>;
  inputs: Record<string, IBoundInput>;
  cpus: number;
  gpus: number;
  memoryGb: number | null;
  timeoutMinutes: number | null;
}

export interface ISubmitForm {
  path: string;
  info: NotebookInfo | null;
  modules: readonly string[];
  /** What the source itself says of an input. */
  guess: (name: string) => { dataset: string; split: string };
  problem: Problem | null;
  datasets: readonly Dataset[];
  gpus: number;
  /** Data to bind first, e.g. tweets@v1. */
  dataset?: string;
  onBrowse: () => Promise<void>;
  onReload: () => Promise<void>;
  onSubmit: (value: ISubmitValue) => Promise<void>;
}

export function SubmitForm(props: ISubmitForm): React.ReactElement {
  const { trans } = useEnv();
  return (
    <div className="jp-dlsys-Page jp-mod-narrow">
      <header className="jp-dlsys-Header">
        <div className="jp-dlsys-Header-title">
          <h2>{trans.__('Run as a job')}</h2>
          {props.info ? <Badge text={props.info.kernel ?? props.info.language} /> : null}
        </div>
        <p className="jp-dlsys-Weak">
          {trans.__(
            'The saved file is copied with its data, parameters and environment; you can go on editing.'
          )}
        </p>
      </header>
      {props.path ? (
        <div className="jp-dlsys-Toolbar">
          <notebookIcon.react tag="span" className="jp-dlsys-Button-icon" />
          <strong className="jp-dlsys-Path">{props.path}</strong>
          <Button
            kind="quiet"
            iconOnly
            icon={refreshIcon}
            label={trans.__('Read the file again')}
            onClick={() => void props.onReload()}
          />
          <Button
            kind="quiet"
            label={trans.__('Choose another…')}
            onClick={() => void props.onBrowse()}
          />
        </div>
      ) : (
        <EmptyState
          icon={notebookIcon}
          title={trans.__('Which notebook?')}
          text={trans.__('A notebook or a Python script from the file browser.')}
        >
          <Button
            kind="primary"
            label={trans.__('Choose a file…')}
            onClick={() => void props.onBrowse()}
          />
        </EmptyState>
      )}
      {props.problem ? (
        <ProblemNote problem={props.problem} onRetry={() => void props.onReload()} />
      ) : null}
      {props.path && !props.info && !props.problem ? <Skeleton lines={6} height={18} /> : null}
      {props.info ? <SubmitBody key={props.path} {...props} info={props.info} /> : null}
    </div>
  );
}

function initial(props: ISubmitForm & { info: NotebookInfo }): ISubmitValue {
  const names = props.info.inputs?.length ? props.info.inputs : props.dataset ? ['data'] : [];
  const inputs: Record<string, IBoundInput> = {};
  names.forEach((name, i) => {
    const wanted = i === 0 ? props.dataset : undefined;
    const said = props.guess(name);
    const known = [said.dataset, name].find(item => props.datasets.some(d => d.name === item));
    const chosen = wanted ?? known ?? props.datasets[0]?.name ?? '';
    const [dataset = '', version = ''] = chosen.split('@');
    inputs[name] = { dataset, version, split: said.split, where: '', seed: 0 };
  });
  return {
    name: '',
    parameters: {},
    inputs,
    cpus: 1,
    gpus: 0,
    memoryGb: null,
    timeoutMinutes: null
  };
}

function SubmitBody(props: ISubmitForm & { info: NotebookInfo }): React.ReactElement {
  const { trans } = useEnv();
  const [value, setValue] = React.useState<ISubmitValue>(() => initial(props));
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const [busy, setBusy] = React.useState(false);
  const change = (patch: Partial<ISubmitValue>): void => setValue(old => ({ ...old, ...patch }));
  const submit = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await props.onSubmit(value);
    } catch (error) {
      setProblem(toProblem(error));
    }
    setBusy(false);
  };
  return (
    <form
      className="jp-dlsys-Form"
      onSubmit={event => {
        event.preventDefault();
        void submit();
      }}
    >
      {(props.info.findings ?? []).map(finding => (
        <p key={finding} className="jp-dlsys-Finding" role="note">
          {finding}
        </p>
      ))}
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
      <ResourceFields value={value} gpus={props.gpus} change={change} />
      {props.modules.length ? (
        <p className="jp-dlsys-Weak">{trans.__('Goes along: %1', props.modules.join(', '))}</p>
      ) : null}
      {problem ? <ProblemNote problem={problem} /> : null}
      <div className="jp-dlsys-Actions">
        <Button submit kind="primary" icon={runIcon} label={trans.__('Run')} busy={busy} />
        <CopyMenu copies={submitCopies(props.path, value)} />
      </div>
    </form>
  );
}

function ResourceFields(props: {
  value: ISubmitValue;
  gpus: number;
  change: (patch: Partial<ISubmitValue>) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const { value, change } = props;
  const number = (text: string): number | null => (text === '' ? null : Number(text));
  return (
    <Section title={trans.__('Resources')}>
      <div className="jp-dlsys-Grid">
        <Field label={trans.__('CPU cores')}>
          <input
            className="jp-dlsys-Input"
            type="number"
            min={0.5}
            step={0.5}
            value={value.cpus}
            onChange={event => change({ cpus: Number(event.target.value) })}
          />
        </Field>
        <Field
          label={trans.__('GPUs')}
          hint={props.gpus ? trans.__('%1 here', props.gpus) : trans.__('none here')}
        >
          <input
            className="jp-dlsys-Input"
            type="number"
            min={0}
            step={1}
            value={value.gpus}
            onChange={event => change({ gpus: Number(event.target.value) })}
          />
        </Field>
        <Field label={trans.__('Memory limit, GB')} hint={trans.__('empty: none')}>
          <input
            className="jp-dlsys-Input"
            type="number"
            min={0.1}
            step={0.1}
            value={value.memoryGb ?? ''}
            onChange={event => change({ memoryGb: number(event.target.value) })}
          />
        </Field>
        <Field label={trans.__('Time limit, minutes')} hint={trans.__('empty: none')}>
          <input
            className="jp-dlsys-Input"
            type="number"
            min={0.1}
            step="any"
            value={value.timeoutMinutes ?? ''}
            onChange={event => change({ timeoutMinutes: number(event.target.value) })}
          />
        </Field>
        <Field label={trans.__('Name of the job')} hint={trans.__('empty: the file name')}>
          <input
            className="jp-dlsys-Input"
            maxLength={200}
            value={value.name}
            onChange={event => change({ name: event.target.value })}
          />
        </Field>
      </div>
    </Section>
  );
}
