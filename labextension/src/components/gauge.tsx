import * as React from 'react';

/** How much of something is taken, as a bar with its numbers; `load` is what is really used. */
export function Gauge(props: {
  label: string;
  used: number;
  all: number;
  show: (value: number) => string;
  load?: number | null | undefined;
  loadLabel?: string;
}): React.ReactElement {
  const part = (value: number): string =>
    `${props.all ? 100 * Math.max(0, Math.min(1, value / props.all)) : 0}%`;
  const { load } = props;
  const known = load !== null && load !== undefined;
  return (
    <div
      className="jp-dlsys-Gauge"
      role="meter"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={props.all}
      aria-valuenow={props.used}
      aria-valuetext={`${props.show(props.used)} / ${props.show(props.all)}`}
    >
      <span>{props.label}</span>
      <span className="jp-dlsys-Bars-track">
        <span className="jp-dlsys-Bars-fill" style={{ width: part(props.used) }} />
        {known ? <span className="jp-dlsys-Gauge-load" style={{ width: part(load) }} /> : null}
      </span>
      <span className="jp-mod-number">
        {`${props.show(props.used)} / ${props.show(props.all)}`}
        {known ? <small>{` ${props.loadLabel} ${props.show(load)}`}</small> : null}
      </span>
    </div>
  );
}
