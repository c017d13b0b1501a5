import { addIcon, closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Dataset } from '../api/types';
import { EMPTY_INPUT, parseSplit } from '../models/submission';
import type { IBoundInput } from '../models/submission';
import { Button, Field, Section } from './basics';
import { useEnv } from './env';
import { count } from './format';

/** The names that the notebook reads, each bound to a version of a dataset. */
export function InputPicker(props: {
  datasets: readonly Dataset[];
  inputs: Record<string, IBoundInput>;
  onChange: (inputs: Record<string, IBoundInput>) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const names = Object.keys(props.inputs);
  const add = (): void => {
    const name = names.includes('data') ? `data${names.length + 1}` : 'data';
    props.onChange({
      ...props.inputs,
      [name]: { ...EMPTY_INPUT, dataset: props.datasets[0]?.name ?? '' }
    });
  };
  return (
    <Section
      title={trans.__('Data')}
      aside={
        <Button
          kind="quiet"
          icon={addIcon}
          label={trans.__('Add')}
          disabled={!props.datasets.length}
          onClick={add}
        />
      }
    >
      {names.length === 0 ? (
        <p className="jp-dlsys-Weak">
          {trans.__(
            'No dataset is bound. In the notebook, dlsys.input("data") gives the data bound here.'
          )}
        </p>
      ) : null}
      {names.map((name, i) => (
        <InputRow
          key={i}
          name={name}
          input={props.inputs[name] ?? EMPTY_INPUT}
          datasets={props.datasets}
          onChange={(to, input) => {
            const entries = Object.entries(props.inputs).map(([old, value]) =>
              old === name ? [to, input] : [old, value]
            );
            props.onChange(
              Object.fromEntries(input ? entries : entries.filter(([, value]) => value))
            );
          }}
        />
      ))}
    </Section>
  );
}

function InputRow(props: {
  name: string;
  input: IBoundInput;
  datasets: readonly Dataset[];
  onChange: (name: string, input: IBoundInput | null) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const { name, input } = props;
  const change = (patch: Partial<IBoundInput>): void =>
    props.onChange(name, { ...input, ...patch });
  const split = parseSplit(input.split);
  return (
    <div className="jp-dlsys-InputRow">
      <Field label={trans.__('Name')}>
        <input
          className="jp-dlsys-Input jp-mod-code"
          required
          value={name}
          onChange={event => props.onChange(event.target.value, input)}
        />
      </Field>
      <Field label={trans.__('Dataset')}>
        <select
          className="jp-dlsys-Input"
          required
          value={input.dataset}
          onChange={event => change({ dataset: event.target.value, version: '' })}
        >
          <option value="" />
          {props.datasets.map(dataset => (
            <option key={dataset.name} value={dataset.name}>
              {trans.__('%1 (%2 rows)', dataset.name, count(dataset.rows))}
            </option>
          ))}
        </select>
      </Field>
      <VersionField {...props} change={change} />
      <Field
        label={trans.__('Split')}
        error={
          split === undefined ? trans.__('fractions that add up to 1, e.g. 0.8, 0.2') : undefined
        }
        hint={split ? Object.keys(split).join(' · ') : trans.__('empty: not split')}
      >
        <input
          className="jp-dlsys-Input"
          placeholder="0.8, 0.1, 0.1"
          value={input.split}
          onChange={event => change({ split: event.target.value })}
        />
      </Field>
      <Field label={trans.__('Only rows where')}>
        <input
          className="jp-dlsys-Input jp-mod-code"
          placeholder={trans.__('all')}
          value={input.where}
          onChange={event => change({ where: event.target.value })}
        />
      </Field>
      <Button
        kind="quiet"
        iconOnly
        icon={closeIcon}
        label={trans.__('Remove %1', name)}
        onClick={() => props.onChange(name, null)}
      />
    </div>
  );
}

function VersionField(props: {
  input: IBoundInput;
  datasets: readonly Dataset[];
  change: (patch: Partial<IBoundInput>) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const dataset = props.datasets.find(item => item.name === props.input.dataset);
  const newest = dataset?.version ?? 0;
  const versions = Array.from({ length: Math.min(newest, 50) }, (_, i) => `v${newest - i}`);
  const tags = Object.keys(dataset?.tags ?? {});
  const known = ['', ...versions, ...tags];
  const { version } = props.input;
  return (
    <Field label={trans.__('Version')}>
      <select
        className="jp-dlsys-Input"
        value={version}
        onChange={event => props.change({ version: event.target.value })}
      >
        <option value="">{newest ? trans.__('newest (v%1)', newest) : trans.__('none yet')}</option>
        {known.includes(version) ? null : <option value={version}>{version}</option>}
        {tags.map(tag => (
          <option key={tag} value={tag}>
            {trans.__('%1 (tag)', tag)}
          </option>
        ))}
        {versions.map(item => (
          <option key={item} value={item}>
            {item}
          </option>
        ))}
      </select>
    </Field>
  );
}
