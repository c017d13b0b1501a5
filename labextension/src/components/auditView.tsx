import { caretLeftIcon, caretRightIcon, downloadIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { toProblem } from '../api/problem';
import type { AuditEntry, AuditReport, Problem, Project } from '../api/types';
import { ANYTHING, AUDIT_PAGE } from '../models/auditModel';
import type { FileFormat, IQuestion } from '../models/auditModel';
import { auditCopies } from './auditCopies';
import { AuditFilters } from './auditFilters';
import { AuditTable } from './auditTable';
import { Button, EmptyState } from './basics';
import { CopyMenu } from './copyMenu';
import { useEnv } from './env';
import { count } from './format';
import { ProblemNote } from './problem';
import { Code } from './snippets';

export interface IAuditView {
  question: IQuestion;
  entries: readonly AuditEntry[];
  busy: boolean;
  page: number;
  more: boolean;
  shown: number | null;
  projects: readonly Project[];
  /** Only administrators of the platform may check the whole log. */
  mayVerify: boolean;
  report: AuditReport | null;
  onAsk: (change: Partial<IQuestion>) => void;
  onShow: (seq: number | null) => void;
  onNewer: () => void;
  onOlder: () => void;
  onVerify: () => Promise<void>;
  onExport: (format: FileFormat) => Promise<void>;
}

/** Who did what, page by page, with filters, a file to keep and a check of the whole. */
export function AuditView(props: IAuditView): React.ReactElement {
  const { trans } = useEnv();
  const { entries, busy } = props;
  return (
    <div className="jp-dlsys-Audit">
      <AuditFilters {...props} />
      <AuditActions {...props} />
      <div aria-busy={busy} className={busy ? 'jp-mod-waiting' : undefined}>
        {entries.length ? (
          <AuditTable
            entries={entries}
            shown={props.shown}
            onShow={props.onShow}
            onAsk={props.onAsk}
          />
        ) : busy ? null : (
          <NoEntry {...props} />
        )}
      </div>
      {props.page > 0 || props.more ? (
        <footer className="jp-dlsys-Pager">
          <span className="jp-mod-number" role="status">
            {trans.__('Page %1, %2 entries each', props.page + 1, AUDIT_PAGE)}
          </span>
          <Button
            kind="quiet"
            icon={caretLeftIcon}
            label={trans.__('Newer')}
            disabled={busy || props.page === 0}
            onClick={props.onNewer}
          />
          <Button
            kind="quiet"
            icon={caretRightIcon}
            label={trans.__('Older')}
            disabled={busy || !props.more}
            onClick={props.onOlder}
          />
        </footer>
      ) : null}
    </div>
  );
}

function NoEntry(props: IAuditView): React.ReactElement {
  const { trans } = useEnv();
  return isAnything(props.question) ? (
    <EmptyState
      title={trans.__('Nothing is recorded yet')}
      text={trans.__('Every change and every refusal will be here, with who, what and when.')}
    />
  ) : (
    <EmptyState
      title={trans.__('No entry fits')}
      text={trans.__('Nothing in the log is like that, or nothing that you may see.')}
    >
      <Button label={trans.__('Show everything')} onClick={() => props.onAsk(ANYTHING)} />
    </EmptyState>
  );
}

function AuditActions(props: IAuditView): React.ReactElement {
  const { trans } = useEnv();
  const [doing, setDoing] = React.useState<'' | 'csv' | 'jsonl' | 'verify'>('');
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const act = (what: 'csv' | 'jsonl' | 'verify', work: () => Promise<void>): void => {
    setProblem(null);
    setDoing(what);
    work()
      .catch(error => setProblem(toProblem(error)))
      .finally(() => setDoing(''));
  };
  const formats: [FileFormat, string][] = [
    ['csv', trans.__('Export as CSV')],
    ['jsonl', trans.__('Export as JSON lines')]
  ];
  return (
    <>
      <div className="jp-dlsys-Actions">
        {formats.map(([format, label]) => (
          <Button
            key={format}
            icon={downloadIcon}
            label={label}
            title={trans.__('All that the filters leave, oldest first, as a file')}
            busy={doing === format}
            disabled={doing !== ''}
            onClick={() => act(format, () => props.onExport(format))}
          />
        ))}
        {props.mayVerify ? (
          <Button
            label={trans.__('Check the log')}
            title={trans.__('Was a row changed or removed since it was written?')}
            busy={doing === 'verify'}
            disabled={doing !== ''}
            onClick={() => act('verify', props.onVerify)}
          />
        ) : null}
        <CopyMenu copies={auditCopies(props.question)} />
        {isAnything(props.question) ? null : (
          <Button
            kind="quiet"
            label={trans.__('Show everything')}
            onClick={() => props.onAsk(ANYTHING)}
          />
        )}
      </div>
      {problem ? <ProblemNote problem={problem} /> : null}
      {props.report && doing !== 'verify' ? <Report report={props.report} /> : null}
    </>
  );
}

const isAnything = (question: IQuestion): boolean =>
  (Object.keys(ANYTHING) as (keyof IQuestion)[]).every(key => question[key] === ANYTHING[key]);

function Report(props: { report: AuditReport }): React.ReactElement {
  const { trans } = useEnv();
  const { report } = props;
  const kind = report.ok ? 'jp-dlsys-Issued' : 'jp-dlsys-Problem';
  return (
    <div className={kind} role={report.ok ? 'status' : 'alert'}>
      <strong>
        {report.ok
          ? trans._n(
              'The log is whole: %1 row, as it was written.',
              'The log is whole: %1 rows, each as it was written.',
              report.rows,
              count(report.rows)
            )
          : trans.__('The log was changed.')}
      </strong>
      {report.problems?.length ? (
        <ul>
          {report.problems.map((text, i) => (
            <li key={i}>{text}</li>
          ))}
        </ul>
      ) : null}
      {report.head ? (
        <>
          <p>
            {trans.__(
              'Hash of the last row, number %1. Keep it in another place: whoever finds another hash in that row later knows that the log was written anew.',
              report.last ?? '–'
            )}
          </p>
          <Code text={report.head} />
        </>
      ) : null}
    </div>
  );
}
