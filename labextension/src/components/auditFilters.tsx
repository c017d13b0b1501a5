import * as React from 'react';

import type { Outcome, Project } from '../api/types';
import type { IQuestion, Within } from '../models/auditModel';
import { Field } from './basics';
import { useEnv } from './env';
import { outcomeWord } from './words';

const OUTCOMES: readonly Outcome[] = ['allowed', 'refused', 'failed'];
const NOUNS = [
  'audit.',
  'datasets.',
  'deployments.',
  'jobs.',
  'mlflow.',
  'models.',
  'projects.',
  'quotas.',
  'schedules.',
  'snapshots.',
  'system.',
  'tokens.',
  'uploads.'
];

/** What to look for in the log; each change is asked of the platform. */
export function AuditFilters(props: {
  question: IQuestion;
  projects: readonly Project[];
  onAsk: (change: Partial<IQuestion>) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const { question, onAsk } = props;
  const nouns = React.useId();
  const input = (key: 'who' | 'what' | 'text', placeholder: string, list?: string) => (
    <input
      type="search"
      className="jp-dlsys-Input"
      maxLength={key === 'what' ? 64 : 200}
      placeholder={placeholder}
      list={list}
      value={question[key]}
      onChange={event => onAsk({ [key]: event.target.value })}
    />
  );
  return (
    <form
      className="jp-dlsys-Filters"
      role="search"
      aria-label={trans.__('Filters')}
      onSubmit={event => event.preventDefault()}
    >
      <Field label={trans.__('Who')}>{input('who', trans.__('whole name'))}</Field>
      <Field label={trans.__('Project')}>
        <select
          className="jp-dlsys-Input"
          value={question.project}
          onChange={event => onAsk({ project: event.target.value })}
        >
          <option value="">{trans.__('any')}</option>
          {props.projects.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </Field>
      <Field label={trans.__('Operation')}>
        {input('what', trans.__('e.g. datasets.'), nouns)}
      </Field>
      <datalist id={nouns}>
        {NOUNS.map(noun => (
          <option key={noun} value={noun} />
        ))}
      </datalist>
      <Field label={trans.__('Outcome')}>
        <select
          className="jp-dlsys-Input"
          value={question.outcome}
          onChange={event => onAsk({ outcome: event.target.value as Outcome | '' })}
        >
          <option value="">{trans.__('any')}</option>
          {OUTCOMES.map(outcome => (
            <option key={outcome} value={outcome}>
              {outcomeWord(trans, outcome)}
            </option>
          ))}
        </select>
      </Field>
      <Field label={trans.__('Path')}>{input('text', trans.__('a part of it'))}</Field>
      <TimeFields {...props} />
    </form>
  );
}

function TimeFields(props: {
  question: IQuestion;
  onAsk: (change: Partial<IQuestion>) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const { question, onAsk } = props;
  const choices: [Within, string][] = [
    ['', trans.__('any')],
    ['1h', trans.__('last hour')],
    ['24h', trans.__('last 24 hours')],
    ['7d', trans.__('last 7 days')],
    ['30d', trans.__('last 30 days')],
    ['between', trans.__('between…')]
  ];
  const ends: ['from' | 'to', string][] = [
    ['from', trans.__('From')],
    ['to', trans.__('Before')]
  ];
  return (
    <>
      <Field label={trans.__('Time')}>
        <select
          className="jp-dlsys-Input"
          value={question.within}
          onChange={event => onAsk({ within: event.target.value as Within })}
        >
          {choices.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </Field>
      {question.within === 'between'
        ? ends.map(([key, label]) => (
            <Field key={key} label={label}>
              <input
                type="datetime-local"
                className="jp-dlsys-Input"
                value={question[key]}
                onChange={event => onAsk({ [key]: event.target.value })}
              />
            </Field>
          ))
        : null}
    </>
  );
}
