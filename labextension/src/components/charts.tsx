import * as React from 'react';

import type { Histogram, ValueCount } from '../api/types';
import { useTrans } from './env';
import { count, metric, percent } from './format';

/** A histogram as small as a line of text is high. */
export function MiniHistogram(props: { histogram: Histogram; label: string }): React.ReactElement {
  const { counts, edges } = props.histogram;
  const highest = Math.max(...counts, 1);
  const width = 100 / counts.length;
  return (
    <figure className="jp-dlsys-Histogram">
      <svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img" aria-label={props.label}>
        {counts.map((value, i) => (
          <rect
            key={i}
            x={i * width + 0.4}
            width={Math.max(width - 0.8, 0.4)}
            y={40 - (38 * value) / highest - (value ? 1 : 0)}
            height={(38 * value) / highest + (value ? 1 : 0)}
          >
            <title>{`${metric(edges[i])} – ${metric(edges[i + 1])}: ${count(value)}`}</title>
          </rect>
        ))}
      </svg>
      <figcaption>
        <span>{metric(edges[0])}</span>
        <span>{metric(edges[edges.length - 1])}</span>
      </figcaption>
    </figure>
  );
}

/** How often each value occurs, as bars with their numbers. */
export function CountBars(props: {
  values: readonly ValueCount[];
  total: number;
}): React.ReactElement {
  const highest = Math.max(...props.values.map(value => value.count), 1);
  return (
    <ul className="jp-dlsys-Bars">
      {props.values.map((value, i) => (
        <li key={value.value} title={value.value}>
          <span className="jp-dlsys-Bars-name">{value.value || '""'}</span>
          <span className="jp-dlsys-Bars-track">
            <span
              className={`jp-dlsys-Bars-fill jp-mod-series${i % 6}`}
              style={{ width: `${(100 * value.count) / highest}%` }}
            />
          </span>
          <span className="jp-mod-number">{count(value.count)}</span>
          <span className="jp-mod-number jp-mod-weak">
            {props.total ? percent(value.count / props.total) : ''}
          </span>
        </li>
      ))}
    </ul>
  );
}

/** Probabilities, the highest first. */
export function ProbabilityBars(props: { labels: string[]; values: number[] }): React.ReactElement {
  const rows = props.values
    .map((value, i) => ({ value, label: props.labels[i] ?? String(i) }))
    .sort((a, b) => b.value - a.value);
  return (
    <ul className="jp-dlsys-Bars jp-mod-answer">
      {rows.map((row, i) => (
        <li key={row.label}>
          <span className="jp-dlsys-Bars-name">{row.label}</span>
          <span className="jp-dlsys-Bars-track">
            <span
              className={`jp-dlsys-Bars-fill${i === 0 ? ' jp-mod-best' : ''}`}
              style={{ width: `${100 * Math.max(0, Math.min(1, row.value))}%` }}
            />
          </span>
          <span className="jp-mod-number">{(100 * row.value).toFixed(1)} %</span>
        </li>
      ))}
    </ul>
  );
}

/** The last minutes of a number. */
export function Sparkline(props: { values: readonly number[]; label: string }): React.ReactElement {
  const trans = useTrans();
  const highest = Math.max(...props.values, 1e-9);
  const step = 100 / Math.max(props.values.length - 1, 1);
  const points = props.values.map((value, i) => `${i * step},${29 - (27 * value) / highest}`);
  return (
    <svg
      className="jp-dlsys-Sparkline"
      viewBox="0 0 100 30"
      preserveAspectRatio="none"
      role="img"
      aria-label={trans.__('%1, highest %2', props.label, metric(highest))}
    >
      <polyline points={points.join(' ')} />
    </svg>
  );
}
