import { historyIcon, runIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Finding, NotebookInfo, Place } from '../api/types';
import type { ISubmitValue } from '../models/submission';
import { Button } from './basics';
import { Confirm } from './confirm';
import { CopyMenu } from './copyMenu';
import { useEnv } from './env';
import { PreflightView } from './preflight';
import type { Check } from './preflight';
import { ProblemNote } from './problem';
import { SourcePage } from './sourceChoice';
import type { ISourceChoice } from './sourceChoice';
import { SubmissionFields } from './submissionFields';
import type { ISubmissionSource } from './submissionFields';
import { submitCopies } from './submitCopies';
import { useSubmission } from './useSubmission';

export interface ISubmitForm extends ISourceChoice, Omit<ISubmissionSource, 'info'> {
  modules: readonly string[];
  /** Grows when the file changes. */
  revision: number;
  onCheck: Check;
  onReveal: (place: Place) => void;
  /** Make a fix in the file. */
  onMend: (finding: Finding) => void;
  onSubmit: (value: ISubmitValue) => Promise<void>;
  /** Run it at times, with what is filled in. */
  onSchedule: (value: ISubmitValue) => void;
}

export function SubmitForm(props: ISubmitForm): React.ReactElement {
  const { trans } = useEnv();
  return (
    <SourcePage
      {...props}
      title={trans.__('Run as a job')}
      text={trans.__(
        'The saved file is copied with its data, parameters and environment; you can go on editing.'
      )}
    >
      {info => <SubmitBody {...props} info={info} />}
    </SourcePage>
  );
}

function SubmitBody(props: ISubmitForm & { info: NotebookInfo }): React.ReactElement {
  const { trans } = useEnv();
  const { value, change, preflight, fix, problem, busy, send } = useSubmission(props);
  const [asking, setAsking] = React.useState(false);
  const errors = preflight.report?.findings.filter(item => item.severity === 'error').length ?? 0;
  const submit = (): void => {
    setAsking(false);
    void send(props.onSubmit);
  };
  return (
    <form
      className="jp-dlsys-Form"
      onSubmit={event => {
        event.preventDefault();
        if (errors) {
          setAsking(true);
        } else {
          submit();
        }
      }}
    >
      <PreflightView
        {...preflight}
        notebook={props.info.kind === 'notebook'}
        onReveal={props.onReveal}
        onFix={fix}
      />
      <SubmissionFields {...props} value={value} change={change} />
      {props.modules.length ? (
        <p className="jp-dlsys-Weak">{trans.__('Goes along: %1', props.modules.join(', '))}</p>
      ) : null}
      {problem ? <ProblemNote problem={problem} /> : null}
      {asking && errors ? (
        <Confirm
          title={trans.__('Run it anyway?')}
          text={trans._n(
            'It will fail: %1 error was found.',
            'It will fail: %1 errors were found.',
            errors,
            errors
          )}
          yes={trans.__('Run anyway')}
          no={trans.__('Go back')}
          onYes={submit}
          onNo={() => setAsking(false)}
        />
      ) : (
        <div className="jp-dlsys-Actions">
          <Button
            submit
            kind="primary"
            icon={runIcon}
            label={trans.__('Run')}
            needs="jobs.submit"
            busy={busy}
          />
          <Button
            icon={historyIcon}
            label={trans.__('Schedule…')}
            title={trans.__('Run it again and again, at times you choose')}
            needs="schedules.create"
            onClick={() => props.onSchedule(value)}
          />
          <CopyMenu copies={submitCopies(props.path, value)} />
        </div>
      )}
    </form>
  );
}
