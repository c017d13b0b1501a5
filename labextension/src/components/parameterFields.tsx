import * as React from 'react';

import type { Parameter } from '../api/types';
import { Field } from './basics';
import { useEnv } from './env';

/** Inputs made from the notebook's parameters cell; only what was changed is sent. */
export function ParameterFields(props: {
  parameters: readonly Parameter[];
  values: Record<string, unknown>;
  onChange: (values: Record<string, unknown>) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  if (props.parameters.length === 0) {
    return (
      <p className="jp-dlsys-Weak">
        {trans.__(
          'None. Tag a cell “parameters” in the notebook, and its variables can be set here.'
        )}
      </p>
    );
  }
  return (
    <div className="jp-dlsys-Grid">
      {props.parameters.map(parameter => (
        <ParameterField
          key={parameter.name}
          parameter={parameter}
          value={props.values[parameter.name]}
          onChange={value => {
            const rest = { ...props.values };
            delete rest[parameter.name];
            props.onChange(value === undefined ? rest : { ...rest, [parameter.name]: value });
          }}
        />
      ))}
    </div>
  );
}

interface IParameterField {
  parameter: Parameter;
  value: unknown;
  onChange: (value: unknown) => void;
}

function ParameterField(props: IParameterField): React.ReactElement {
  const { trans } = useEnv();
  const { parameter } = props;
  const type = parameter.type.toLowerCase();
  const comment = parameter.comment || type || trans.__('value');
  if (type === 'bool') {
    return (
      <Field label={parameter.name} hint={comment}>
        <input
          type="checkbox"
          checked={Boolean(props.value ?? parameter.default)}
          onChange={event =>
            props.onChange(
              event.target.checked === parameter.default ? undefined : event.target.checked
            )
          }
        />
      </Field>
    );
  }
  if (type === 'int' || type === 'float') {
    return (
      <Field label={parameter.name} hint={comment}>
        <input
          className="jp-dlsys-Input"
          type="number"
          step={type === 'int' ? 1 : 'any'}
          placeholder={shown(parameter.default)}
          value={props.value === undefined ? '' : String(props.value)}
          onChange={event =>
            props.onChange(event.target.value === '' ? undefined : Number(event.target.value))
          }
        />
      </Field>
    );
  }
  return type === 'str' ? (
    <TextField {...props} hint={comment} />
  ) : (
    <JsonField {...props} hint={comment} />
  );
}

function TextField(props: IParameterField & { hint: string }): React.ReactElement {
  return (
    <Field label={props.parameter.name} hint={props.hint}>
      <input
        className="jp-dlsys-Input"
        placeholder={shown(props.parameter.default)}
        value={props.value === undefined ? '' : String(props.value)}
        onChange={event =>
          props.onChange(event.target.value === '' ? undefined : event.target.value)
        }
      />
    </Field>
  );
}

/** A value of another type, written as JSON; what is no JSON stays a text. */
function JsonField(props: IParameterField & { hint: string }): React.ReactElement {
  const [text, setText] = React.useState('');
  return (
    <Field label={props.parameter.name} hint={props.hint}>
      <input
        className="jp-dlsys-Input jp-mod-code"
        placeholder={shown(props.parameter.default)}
        value={text}
        onChange={event => {
          setText(event.target.value);
          props.onChange(event.target.value === '' ? undefined : parse(event.target.value));
        }}
      />
    </Field>
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const shown = (value: unknown): string =>
  value === null || value === undefined
    ? ''
    : typeof value === 'string'
      ? value
      : JSON.stringify(value);
