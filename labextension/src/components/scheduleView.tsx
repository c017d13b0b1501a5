import { editIcon, pauseIcon, runIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Firing, Job, Problem, Schedule, ScheduleChange } from '../api/types';
import { Badge, Button, EmptyState, Facts, Go, Section } from './basics';
import { Confirm } from './confirm';
import { CopyMenu } from './copyMenu';
import { useEnv } from './env';
import { momentIn } from './format';
import { PolicyFields } from './policyFields';
import type { IPolicies } from './policyFields';
import { ProblemNote } from './problem';
import { showCopies } from './scheduleCopies';
import { NameField } from './scheduleForm';
import { NextTimes, WhenFields } from './whenFields';
import type { Explain, IWhen } from './whenFields';
import { firingTone, firingWord, jobTone, jobWord, missedWord, overlapWord } from './words';

export interface IScheduleView {
  schedule: Schedule;
  history: readonly Firing[];
  onExplain: Explain;
  onPause: (paused: boolean) => Promise<void>;
  onRun: () => Promise<unknown>;
  onUpdate: (change: ScheduleChange) => Promise<void>;
  onRemove: () => Promise<void>;
}

export function ScheduleView(props: IScheduleView): React.ReactElement {
  const { trans } = useEnv();
  const { schedule } = props;
  const [editing, setEditing] = React.useState(false);
  const what = schedule.follow
    ? trans.__('%1, as it is at each time', schedule.path || schedule.source)
    : trans.__('%1, the version that was kept', schedule.source);
  return (
    <div className="jp-dlsys-Page">
      <header className="jp-dlsys-Header">
        <div className="jp-dlsys-Header-title">
          <h2>{schedule.name || schedule.source}</h2>
          <Badge
            tone={schedule.paused ? 'warn' : 'ok'}
            text={schedule.paused ? trans.__('Paused') : trans.__('Active')}
          />
        </div>
        <p>{schedule.words}</p>
        <Facts
          items={[
            [trans.__('Runs'), what],
            [trans.__('Cron'), <code key="cron">{schedule.cron}</code>],
            [trans.__('Owner'), schedule.owner],
            [trans.__('While the system was off'), missedWord(trans, schedule.missed)],
            [trans.__('When the last job still runs'), overlapWord(trans, schedule.overlap)]
          ]}
        />
        <ScheduleActions {...props} editing={editing} onEdit={() => setEditing(true)} />
      </header>
      {editing ? <EditForm {...props} onDone={() => setEditing(false)} /> : null}
      <div className="jp-dlsys-Split">
        <Section title={trans.__('History')}>
          <History firings={props.history} timezone={schedule.timezone} />
        </Section>
        <Section title={trans.__('Next times')}>
          {schedule.next_times?.length ? (
            <NextTimes times={schedule.next_times} timezone={schedule.timezone} />
          ) : (
            <p className="jp-dlsys-Weak">
              {schedule.paused ? trans.__('None while it is paused.') : trans.__('None.')}
            </p>
          )}
        </Section>
      </div>
    </div>
  );
}

function ScheduleActions(
  props: IScheduleView & { editing: boolean; onEdit: () => void }
): React.ReactElement {
  const { trans } = useEnv();
  const [sure, setSure] = React.useState(false);
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const { schedule } = props;
  const act = (work: Promise<unknown>): void => {
    setProblem(null);
    setSure(false);
    work.catch(error => setProblem(toProblem(error)));
  };
  return (
    <>
      <div className="jp-dlsys-Actions">
        <Button
          kind="primary"
          icon={runIcon}
          label={trans.__('Run now')}
          needs="schedules.run"
          onClick={() => act(props.onRun())}
        />
        <Button
          icon={schedule.paused ? runIcon : pauseIcon}
          label={schedule.paused ? trans.__('Resume') : trans.__('Pause')}
          needs={schedule.paused ? 'schedules.resume' : 'schedules.pause'}
          onClick={() => act(props.onPause(!schedule.paused))}
        />
        {props.editing ? null : (
          <Button
            icon={editIcon}
            label={trans.__('Edit')}
            needs="schedules.update"
            onClick={props.onEdit}
          />
        )}
        <CopyMenu copies={showCopies(schedule)} />
        {sure ? (
          <Confirm
            title={trans.__('Remove this schedule?')}
            text={trans.__('It will not run again. Its jobs stay.')}
            yes={trans.__('Remove')}
            no={trans.__('Keep it')}
            onYes={() => act(props.onRemove())}
            onNo={() => setSure(false)}
          />
        ) : (
          <Button
            kind="danger"
            label={trans.__('Remove…')}
            needs="schedules.remove"
            onClick={() => setSure(true)}
          />
        )}
      </div>
      {problem ? <ProblemNote problem={problem} /> : null}
    </>
  );
}

function EditForm(props: IScheduleView & { onDone: () => void }): React.ReactElement {
  const { trans } = useEnv();
  const { name, cron, timezone, missed, overlap } = props.schedule;
  const [value, setValue] = React.useState<IWhen & IPolicies & { name: string }>({
    name,
    cron,
    timezone,
    missed,
    overlap
  });
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const change = (patch: Partial<typeof value>): void => setValue(old => ({ ...old, ...patch }));
  const save = async (): Promise<void> => {
    try {
      await props.onUpdate(value);
      props.onDone();
    } catch (error) {
      setProblem(toProblem(error));
    }
  };
  return (
    <form
      className="jp-dlsys-Form jp-dlsys-Card"
      aria-label={trans.__('Edit the schedule')}
      onSubmit={event => {
        event.preventDefault();
        void save();
      }}
    >
      <WhenFields value={value} onChange={change} onExplain={props.onExplain} />
      <PolicyFields value={value} change={change} />
      <NameField name={value.name} onChange={text => change({ name: text })} />
      {problem ? <ProblemNote problem={problem} /> : null}
      <div className="jp-dlsys-Actions">
        <Button submit kind="primary" label={trans.__('Save')} />
        <Button kind="quiet" label={trans.__('Cancel')} onClick={props.onDone} />
      </div>
    </form>
  );
}

function History(props: { firings: readonly Firing[]; timezone: string }): React.ReactElement {
  const { trans } = useEnv();
  if (props.firings.length === 0) {
    return (
      <EmptyState
        title={trans.__('It has not run yet')}
        text={trans.__('Its jobs are listed here, the newest first.')}
      />
    );
  }
  const reasons = props.firings.some(firing => firing.reason);
  return (
    <div className="jp-dlsys-Scroll">
      <table className="jp-dlsys-Table jp-mod-roomy">
        <thead>
          <tr>
            <th>{trans.__('Due')}</th>
            <th>{trans.__('Result')}</th>
            <th>{trans.__('Job')}</th>
            {reasons ? <th>{trans.__('Why')}</th> : null}
          </tr>
        </thead>
        <tbody>
          {props.firings.map(firing => (
            <FiringRow
              key={firing.due_at}
              firing={firing}
              reasons={reasons}
              timezone={props.timezone}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function FiringRow(props: {
  firing: Firing;
  reasons: boolean;
  timezone: string;
}): React.ReactElement {
  const { trans, open } = useEnv();
  const { firing } = props;
  const { job } = firing;
  const state = firing.job_state as Job['state'] | null;
  return (
    <tr>
      <td>
        <time dateTime={firing.due_at}>{momentIn(firing.due_at, props.timezone)}</time>{' '}
        {firing.manual ? <span className="jp-dlsys-Tagline">{trans.__('by hand')}</span> : null}
      </td>
      <td>
        {state ? (
          <Badge tone={jobTone(state)} text={jobWord(trans, state)} />
        ) : (
          <Badge tone={firingTone(firing.state)} text={firingWord(trans, firing.state)} />
        )}
      </td>
      <td>
        {job ? (
          <Go onClick={() => open({ kind: 'job', id: job })}>{trans.__('Open job')}</Go>
        ) : null}
      </td>
      {props.reasons ? <td>{firing.reason}</td> : null}
    </tr>
  );
}
