import { historyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { NotebookInfo, ScheduleRequest } from '../api/types';
import { PRESETS, ownZone } from '../models/cron';
import type { ISubmitValue } from '../models/submission';
import { Button, Field, Section } from './basics';
import { CopyMenu } from './copyMenu';
import { useEnv } from './env';
import { PreflightView } from './preflight';
import { ProblemNote } from './problem';
import { PolicyFields } from './policyFields';
import type { IPolicies } from './policyFields';
import { scheduleCopies } from './scheduleCopies';
import { SourcePage } from './sourceChoice';
import { SubmissionFields } from './submissionFields';
import type { ISubmitForm } from './submitForm';
import { useSubmission } from './useSubmission';
import { WhenFields } from './whenFields';
import type { Explain, IWhen } from './whenFields';

/** All that the form holds, less the submission. */
export type IPlan = IWhen & IPolicies & Required<Pick<ScheduleRequest, 'name' | 'follow'>>;

export interface IScheduleForm extends Omit<ISubmitForm, 'onSubmit' | 'onSchedule'> {
  /** False where the platform cannot see the file, being on another machine. */
  mayFollow: boolean;
  onExplain: Explain;
  onSchedule: (plan: IPlan, value: ISubmitValue) => Promise<void>;
}

export function ScheduleForm(props: IScheduleForm): React.ReactElement {
  const { trans } = useEnv();
  return (
    <SourcePage
      {...props}
      title={trans.__('Run on a schedule')}
      text={trans.__('Each time it runs as a job of its own, also when this window is closed.')}
    >
      {info => <ScheduleBody {...props} info={info} />}
    </SourcePage>
  );
}

const START: IPlan = {
  name: '',
  cron: PRESETS.weekday,
  timezone: 'UTC',
  follow: false,
  missed: 'last',
  overlap: 'queue'
};

function ScheduleBody(props: IScheduleForm & { info: NotebookInfo }): React.ReactElement {
  const { trans } = useEnv();
  const [plan, setPlan] = React.useState<IPlan>(() => ({
    ...START,
    name: props.given?.name ?? '',
    timezone: ownZone()
  }));
  const { value, change: changeValue, preflight, fix, problem, busy, send } = useSubmission(props);
  const change = (patch: Partial<IPlan>): void => setPlan(old => ({ ...old, ...patch }));
  return (
    <form
      className="jp-dlsys-Form"
      onSubmit={event => {
        event.preventDefault();
        void send(given => props.onSchedule(plan, given));
      }}
    >
      <Section title={trans.__('When')}>
        <WhenFields value={plan} onChange={change} onExplain={props.onExplain} />
      </Section>
      <Section title={trans.__('What')}>
        <FollowChoice {...props} follow={plan.follow} change={change} />
        <PreflightView
          {...preflight}
          notebook={props.info.kind === 'notebook'}
          onReveal={props.onReveal}
          onFix={fix}
        />
        <details className="jp-dlsys-Fold" open={!!props.given}>
          <summary>{trans.__('Data, parameters and resources')}</summary>
          <SubmissionFields {...props} value={value} change={changeValue} />
        </details>
        <details className="jp-dlsys-Fold">
          <summary>{trans.__('More: missed and overlapping times, name')}</summary>
          <PolicyFields value={plan} change={change} />
          <NameField name={plan.name} onChange={name => change({ name })} />
        </details>
      </Section>
      {problem ? <ProblemNote problem={problem} /> : null}
      <div className="jp-dlsys-Actions">
        <Button
          submit
          kind="primary"
          icon={historyIcon}
          label={trans.__('Schedule')}
          needs="schedules.create"
          busy={busy}
        />
        <CopyMenu copies={scheduleCopies(props.path, plan, value)} />
      </div>
    </form>
  );
}

export function NameField(props: {
  name: string;
  onChange: (name: string) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  return (
    <Field label={trans.__('Name of the schedule')} hint={trans.__('empty: the file name')}>
      <input
        className="jp-dlsys-Input"
        maxLength={200}
        value={props.name}
        onChange={event => props.onChange(event.target.value)}
      />
    </Field>
  );
}

function FollowChoice(props: {
  follow: boolean;
  mayFollow: boolean;
  change: (patch: Partial<IPlan>) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const group = React.useId();
  const choices: [boolean, string, string][] = [
    [false, trans.__('This version'), trans.__('later changes of the file do not matter')],
    [
      true,
      trans.__('The file as it is then'),
      props.mayFollow
        ? trans.__('it is read again each time')
        : trans.__('not here: the system is on another machine')
    ]
  ];
  return (
    <div className="jp-dlsys-Choices" role="radiogroup" aria-label={trans.__('Which version runs')}>
      {choices.map(([follow, label, hint]) => (
        <label
          key={String(follow)}
          className={props.follow === follow ? 'jp-mod-chosen' : undefined}
        >
          <input
            type="radio"
            name={group}
            disabled={follow && !props.mayFollow}
            checked={props.follow === follow}
            onChange={() => props.change({ follow })}
          />
          <span>
            {label}
            <small>{hint}</small>
          </span>
        </label>
      ))}
    </div>
  );
}
