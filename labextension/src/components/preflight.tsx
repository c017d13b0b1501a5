import {
  checkIcon,
  copyIcon,
  errorIcon,
  infoIcon,
  notTrustedIcon
} from '@jupyterlab/ui-components';
import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Finding, Place, PreflightReport, Problem } from '../api/types';
import { mendedIn } from '../models/submission';
import type { ISubmitValue } from '../models/submission';
import { Button, Go } from './basics';
import { useEnv } from './env';
import { ProblemNote } from './problem';

const WAIT_MS = 350;
const ICONS: Record<Finding['severity'], LabIcon> = {
  error: errorIcon,
  warning: notTrustedIcon,
  info: infoIcon
};

export type Check = (value: ISubmitValue, signal: AbortSignal) => Promise<PreflightReport>;

export interface IPreflight {
  report: PreflightReport | null;
  problem: Problem | null;
  /** The report is of what stood in the form a moment ago. */
  busy: boolean;
}

/** Looks at the submission, a moment after it last changed; `revision` is that of the file. */
export function usePreflight(check: Check, value: ISubmitValue, revision: number): IPreflight {
  const [state, setState] = React.useState<IPreflight>({ report: null, problem: null, busy: true });
  const latest = React.useRef(check);
  latest.current = check;
  React.useEffect(() => {
    const abort = new AbortController();
    setState(old => ({ ...old, busy: true }));
    const timer = setTimeout(() => {
      latest
        .current(value, abort.signal)
        .then(report => setState({ report, problem: null, busy: false }))
        .catch((error: unknown) => {
          if (!abort.signal.aborted) {
            setState({ report: null, problem: toProblem(error), busy: false });
          }
        });
    }, WAIT_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [value, revision]);
  return state;
}

export interface IPreflightView extends IPreflight {
  notebook: boolean;
  onReveal: (place: Place) => void;
  onFix: (finding: Finding) => void;
}

/** What would go wrong, where, and what mends it. */
export function PreflightView(props: IPreflightView): React.ReactElement {
  const { trans } = useEnv();
  const findings = props.report?.findings ?? [];
  const words = props.report?.forecast?.words;
  return (
    <section className="jp-dlsys-Preflight" aria-label={trans.__('Check before the start')}>
      <p className="jp-dlsys-Preflight-sum" role="status" aria-live="polite">
        {props.report ? (
          <Summary findings={findings} busy={props.busy} />
        ) : props.busy ? (
          <>
            <span className="jp-dlsys-Spinner" aria-hidden="true" />
            {trans.__('Checking…')}
          </>
        ) : null}
        {words ? <span className="jp-dlsys-Forecast">{words}</span> : null}
      </p>
      {props.problem ? <ProblemNote problem={props.problem} /> : null}
      {findings.length ? (
        <ul className="jp-dlsys-Findings">
          {findings.map((finding, i) => (
            <FindingRow key={`${finding.code}-${i}`} {...props} finding={finding} />
          ))}
        </ul>
      ) : null}
    </section>
  );
}

function Summary(props: { findings: readonly Finding[]; busy: boolean }): React.ReactElement {
  const { trans } = useEnv();
  const number = (severity: Finding['severity']): number =>
    props.findings.filter(finding => finding.severity === severity).length;
  const [errors, warnings] = [number('error'), number('warning')];
  const parts = [
    errors ? trans._n('%1 error', '%1 errors', errors, errors) : '',
    warnings ? trans._n('%1 warning', '%1 warnings', warnings, warnings) : ''
  ].filter(Boolean);
  const Icon = errors ? errorIcon : warnings ? notTrustedIcon : checkIcon;
  const tone = errors ? 'error' : warnings ? 'warning' : 'good';
  return (
    <span className={`jp-dlsys-Preflight-word jp-mod-${tone}`}>
      {props.busy ? (
        <span className="jp-dlsys-Spinner" aria-hidden="true" />
      ) : (
        <Icon.react tag="span" className="jp-dlsys-Button-icon" />
      )}
      {parts.join(', ') || trans.__('Nothing found that would go wrong')}
    </span>
  );
}

function FindingRow(props: IPreflightView & { finding: Finding }): React.ReactElement {
  const { trans } = useEnv();
  const { finding } = props;
  const words: Record<Finding['severity'], string> = {
    error: trans.__('Error'),
    warning: trans.__('Warning'),
    info: trans.__('Advice')
  };
  const Icon = ICONS[finding.severity];
  return (
    <li className={`jp-dlsys-Finding jp-mod-${finding.severity}`}>
      <Icon.react tag="span" className="jp-dlsys-Button-icon" />
      <div className="jp-dlsys-Finding-text">
        <p>
          <strong>{words[finding.severity]}</strong>{' '}
          {finding.place ? <PlaceLink {...props} place={finding.place} /> : null}
        </p>
        <p>{finding.message}</p>
        <FixLine {...props} />
      </div>
    </li>
  );
}

function PlaceLink(props: IPreflightView & { place: Place }): React.ReactElement {
  const { trans } = useEnv();
  const { place } = props;
  const line = place.line === null || place.line === undefined ? null : place.line + 1;
  const cell = props.notebook ? trans.__('cell %1', place.cell + 1) : '';
  const text = [cell, line ? trans.__('line %1', line) : ''].filter(Boolean).join(', ');
  return (
    <Go onClick={() => props.onReveal(place)} title={trans.__('Show it in the file')}>
      {text}
    </Go>
  );
}

function FixLine(props: IPreflightView & { finding: Finding }): React.ReactElement | null {
  const { trans, copy } = useEnv();
  const { fix } = props.finding;
  if (!fix) {
    return null;
  }
  if (mendedIn(fix, props.finding) !== 'person') {
    return (
      <div className="jp-dlsys-Actions">
        <Button label={fix.label} onClick={() => props.onFix(props.finding)} />
      </div>
    );
  }
  return fix.command ? (
    <div className="jp-dlsys-Finding-command">
      <span>{fix.label}:</span>
      <code>{fix.command}</code>
      <Button
        kind="quiet"
        iconOnly
        icon={copyIcon}
        label={trans.__('Copy “%1”', fix.command)}
        onClick={() => copy(fix.command)}
      />
    </div>
  ) : (
    <p className="jp-dlsys-Weak">{fix.label}</p>
  );
}
