import * as React from 'react';

import { toProblem } from '../api/problem';
import type { CronExplanation } from '../api/types';
import { PRESETS, presetOf, zones } from '../models/cron';
import type { Preset } from '../models/cron';
import { Field } from './basics';
import { useEnv } from './env';
import { momentIn, until } from './format';

const WAIT_MS = 250;

export interface IWhen {
  cron: string;
  timezone: string;
}

export type Explain = (cron: string, timezone: string) => Promise<CronExplanation>;

/** When to run: a preset or a cron expression, in words and as the next five times. */
export function WhenFields(props: {
  value: IWhen;
  onChange: (value: IWhen) => void;
  onExplain: Explain;
}): React.ReactElement {
  const { trans } = useEnv();
  const { value, onChange } = props;
  const [preset, setPreset] = React.useState<Preset>(presetOf(value.cron));
  const names: [Preset, string][] = [
    ['hour', trans.__('Every hour')],
    ['day', trans.__('Every day at 7')],
    ['weekday', trans.__('Every weekday at 7')],
    ['week', trans.__('Every Monday at 7')],
    ['custom', trans.__('Other times…')]
  ];
  const group = React.useId();
  const { explanation, wrong } = useExplanation(value, props.onExplain);
  const choose = (key: Preset): void => {
    setPreset(key);
    if (key !== 'custom') {
      onChange({ ...value, cron: PRESETS[key] });
    }
  };
  return (
    <>
      <div className="jp-dlsys-Choices" role="radiogroup" aria-label={trans.__('How often')}>
        {names.map(([key, label]) => (
          <label key={key} className={preset === key ? 'jp-mod-chosen' : undefined}>
            <input
              type="radio"
              name={group}
              checked={preset === key}
              onChange={() => choose(key)}
            />
            {label}
          </label>
        ))}
      </div>
      <div className="jp-dlsys-Grid">
        {preset === 'custom' ? (
          <Field
            label={trans.__('Cron expression')}
            hint={trans.__('minute hour day month weekday')}
            error={wrong ?? undefined}
          >
            <input
              className="jp-dlsys-Input jp-mod-code"
              required
              spellCheck={false}
              value={value.cron}
              onChange={event => onChange({ ...value, cron: event.target.value })}
            />
          </Field>
        ) : null}
        <ZoneField zone={value.timezone} onChange={timezone => onChange({ ...value, timezone })} />
      </div>
      {wrong && preset !== 'custom' ? (
        <p className="jp-dlsys-Reason jp-mod-bad" role="alert">
          {wrong}
        </p>
      ) : null}
      {wrong ? null : <Times explanation={explanation} />}
    </>
  );
}

function useExplanation(
  value: IWhen,
  onExplain: Explain
): { explanation: CronExplanation | null; wrong: string | null } {
  const [explanation, setExplanation] = React.useState<CronExplanation | null>(null);
  const [wrong, setWrong] = React.useState<string | null>(null);
  const latest = React.useRef(onExplain);
  latest.current = onExplain;
  const { cron, timezone } = value;
  React.useEffect(() => {
    let stale = false;
    const timer = setTimeout(() => {
      latest
        .current(cron, timezone)
        .then(found => {
          if (!stale) {
            setExplanation(found);
            setWrong(null);
          }
        })
        .catch((error: unknown) => {
          if (!stale) {
            const { detail, hint } = toProblem(error);
            setExplanation(null);
            setWrong([detail, hint].filter(Boolean).join(' '));
          }
        });
    }, WAIT_MS);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [cron, timezone]);
  return { explanation, wrong };
}

function ZoneField(props: { zone: string; onChange: (zone: string) => void }): React.ReactElement {
  const { trans } = useEnv();
  const known = React.useMemo(zones, []);
  return (
    <Field label={trans.__('Time zone')} hint={trans.__('daylight saving is kept to')}>
      <select
        className="jp-dlsys-Input"
        value={props.zone}
        onChange={event => props.onChange(event.target.value)}
      >
        {known.includes(props.zone) ? null : <option value={props.zone}>{props.zone}</option>}
        {known.map(zone => (
          <option key={zone} value={zone}>
            {zone}
          </option>
        ))}
      </select>
    </Field>
  );
}

/** Has its height from the start: what stands below must not move under somebody's click. */
function Times(props: { explanation: CronExplanation | null }): React.ReactElement {
  const { explanation } = props;
  return (
    <div className="jp-dlsys-Times" role="status" aria-live="polite">
      {explanation ? (
        <>
          <strong>{explanation.words}</strong>
          <NextTimes times={explanation.next_times} timezone={explanation.timezone} />
        </>
      ) : null}
    </div>
  );
}

/** Times to come, in the schedule's own zone. */
export function NextTimes(props: {
  times: readonly string[];
  timezone: string;
}): React.ReactElement {
  return (
    <ol className="jp-dlsys-NextTimes">
      {props.times.map(time => (
        <li key={time}>
          <time dateTime={time}>{momentIn(time, props.timezone)}</time>{' '}
          <span className="jp-dlsys-Weak">{until(time)}</span>
        </li>
      ))}
    </ol>
  );
}
