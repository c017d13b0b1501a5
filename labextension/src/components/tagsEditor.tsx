import * as React from 'react';

import { Button, Chip, Field } from './basics';
import { useEnv } from './env';

/** key=value tags as chips, with one field to add the next. */
export function TagsEditor(props: {
  tags: Record<string, string>;
  label?: string;
  onChange: (tags: Record<string, string>) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const [text, setText] = React.useState('');
  const match = /^([A-Za-z0-9][A-Za-z0-9._/-]{0,62})\s*=\s*(.{0,256})$/.exec(text.trim());
  const add = (): void => {
    if (match) {
      props.onChange({ ...props.tags, [match[1] ?? '']: match[2] ?? '' });
      setText('');
    }
  };
  return (
    <div className="jp-dlsys-Tags">
      <Field
        label={props.label ?? trans.__('Tags')}
        hint={trans.__('key=value, e.g. source=survey; training can pick rows by them.')}
      >
        <input
          className="jp-dlsys-Input"
          value={text}
          placeholder="key=value"
          onBlur={add}
          onChange={event => setText(event.target.value)}
          onKeyDown={event => {
            if (event.key === 'Enter' && text) {
              event.preventDefault();
              add();
            }
          }}
        />
      </Field>
      <div className="jp-dlsys-Chips">
        {Object.entries(props.tags).map(([key, value]) => (
          <Chip
            key={key}
            text={`${key}=${value}`}
            onRemove={() => {
              const rest = { ...props.tags };
              delete rest[key];
              props.onChange(rest);
            }}
          />
        ))}
        {text ? <Button label={trans.__('Add')} disabled={!match} onClick={add} /> : null}
      </div>
    </div>
  );
}
