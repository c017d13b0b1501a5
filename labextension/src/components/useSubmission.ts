import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Finding, Problem } from '../api/types';
import { mend, mendedIn } from '../models/submission';
import type { ISubmitValue } from '../models/submission';
import { usePreflight } from './preflight';
import type { Check, IPreflight } from './preflight';
import { initialValue } from './submissionFields';
import type { ISubmissionSource } from './submissionFields';

export interface ISubmission {
  value: ISubmitValue;
  change: (patch: Partial<ISubmitValue>) => void;
  preflight: IPreflight;
  /** Make a fix, in the form or in the file. */
  fix: (finding: Finding) => void;
  problem: Problem | null;
  busy: boolean;
  /** Send it; a failure is kept in `problem`. */
  send: (work: (value: ISubmitValue) => Promise<void>) => Promise<void>;
}

/** What a form about a submission holds: its values, the check of them, how sending goes. */
export function useSubmission(
  props: ISubmissionSource & {
    revision: number;
    onCheck: Check;
    onMend: (finding: Finding) => void;
  }
): ISubmission {
  const [value, setValue] = React.useState<ISubmitValue>(() => initialValue(props));
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const [busy, setBusy] = React.useState(false);
  return {
    value,
    change: patch => setValue(old => ({ ...old, ...patch })),
    preflight: usePreflight(props.onCheck, value, props.revision),
    fix: finding => {
      const { fix } = finding;
      if (fix && mendedIn(fix, finding) === 'form') {
        setValue(old => mend(old, fix));
      } else {
        props.onMend(finding);
      }
    },
    problem,
    busy,
    send: async work => {
      setBusy(true);
      setProblem(null);
      try {
        await work(value);
      } catch (error) {
        setProblem(toProblem(error));
      }
      setBusy(false);
    }
  };
}
