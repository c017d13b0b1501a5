import * as React from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

import type { IMetric } from '../models/jobState';
import { EmptyState } from './basics';
import { useEnv } from './env';
import { count, metric as shown } from './format';

const HEIGHT = 190;
const TABLE_ROWS = 200;

/** One small chart a metric. Loaded only when curves are looked at. */
export default function Curves(props: {
  metrics: readonly IMetric[];
  live: boolean;
}): React.ReactElement {
  const { trans } = useEnv();
  const [log, setLog] = React.useState(false);
  const [table, setTable] = React.useState(false);
  if (props.metrics.length === 0) {
    return (
      <EmptyState
        title={props.live ? trans.__('No curve yet') : trans.__('No curves')}
        text={trans.__(
          'mlflow.log_metric("loss", value, step=step) in the notebook draws one here, live.'
        )}
      />
    );
  }
  const metrics = [...props.metrics].sort((a, b) => a.key.localeCompare(b.key));
  const curves = metrics.filter(metric => metric.steps.length > 1);
  const singles = metrics.filter(metric => metric.steps.length === 1);
  return (
    <>
      <div className="jp-dlsys-Toolbar">
        <label>
          <input type="checkbox" checked={log} onChange={event => setLog(event.target.checked)} />
          {trans.__('Logarithmic')}
        </label>
        <label>
          <input
            type="checkbox"
            checked={table}
            onChange={event => setTable(event.target.checked)}
          />
          {trans.__('As a table')}
        </label>
      </div>
      <div className="jp-dlsys-Charts">
        {curves.map(metric => (
          <figure key={metric.key} className="jp-dlsys-Chart">
            <figcaption>
              <strong>{metric.key}</strong>
              <span className="jp-mod-number">
                {shown(metric.values[metric.values.length - 1])}
              </span>
            </figcaption>
            {table ? (
              <MetricTable metric={metric} />
            ) : (
              <Curve metric={metric} revision={metric.revision} log={log && positive(metric)} />
            )}
          </figure>
        ))}
      </div>
      <dl className="jp-dlsys-Tiles">
        {singles.map(metric => (
          <div key={metric.key}>
            <dt>{metric.key}</dt>
            <dd>{shown(metric.values[0])}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

const positive = (metric: IMetric): boolean =>
  metric.values.every(value => value === null || value > 0);

const css = (name: string): string => getComputedStyle(document.body).getPropertyValue(name).trim();

function Curve(props: { metric: IMetric; revision: number; log: boolean }): React.ReactElement {
  const { trans, theme } = useEnv();
  const { metric } = props;
  const ref = React.useRef<HTMLDivElement>(null);
  const plot = React.useRef<uPlot | null>(null);
  React.useEffect(() => {
    const host = ref.current;
    if (!host) {
      return undefined;
    }
    const made = new uPlot(
      options(metric.key, host.clientWidth || 320, props.log),
      data(metric),
      host
    );
    plot.current = made;
    const observer = new ResizeObserver(() => {
      if (host.clientWidth > 0) {
        made.setSize({ width: host.clientWidth, height: HEIGHT });
      }
    });
    observer.observe(host);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [metric.key, props.log, theme]);
  React.useEffect(() => plot.current?.setData(data(metric)), [props.revision]);
  const last = shown(metric.values[metric.values.length - 1]);
  const label = trans.__('%1 over %2 steps, now %3', metric.key, count(metric.steps.length), last);
  return <div ref={ref} className="jp-dlsys-Curve" role="img" aria-label={label} />;
}

function data(metric: IMetric): uPlot.AlignedData {
  return [metric.steps, metric.values];
}

function options(key: string, width: number, log: boolean): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: css('--jp-ui-font-color2'),
    grid: {
      stroke: `color-mix(in srgb, ${css('--jp-ui-font-color2')} 20%, transparent)`,
      width: 1
    },
    ticks: { show: false },
    font: `11px ${css('--jp-ui-font-family') || 'sans-serif'}`
  };
  const stroke = css('--jp-brand-color1');
  return {
    width,
    height: HEIGHT,
    padding: [10, 8, 0, 0],
    scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
    axes: [
      { ...axis, size: 26 },
      {
        ...axis,
        size: 46,
        values: (_plot, ticks) => ticks.map(tick => (tick === null ? '' : tidy(tick)))
      }
    ],
    series: [
      { label: 'step' },
      {
        label: key,
        stroke,
        width: 1.75,
        fill: `color-mix(in srgb, ${stroke} 10%, transparent)`,
        spanGaps: true,
        points: { show: false },
        value: (_plot, value) => shown(value)
      }
    ],
    cursor: { points: { size: 7 }, sync: { key: 'dlsys-curves' }, drag: { x: true, y: false } },
    legend: { live: true }
  };
}

function tidy(tick: number): string {
  const size = Math.abs(tick);
  return size !== 0 && (size < 1e-3 || size >= 1e5)
    ? tick.toExponential(0)
    : String(Number(tick.toPrecision(4)));
}

function MetricTable(props: { metric: IMetric }): React.ReactElement {
  const { trans } = useEnv();
  const { metric } = props;
  const from = Math.max(0, metric.steps.length - TABLE_ROWS);
  return (
    <div className="jp-dlsys-Scroll jp-mod-short">
      <table className="jp-dlsys-Table">
        <thead>
          <tr>
            <th className="jp-mod-number">{trans.__('Step')}</th>
            <th className="jp-mod-number">{metric.key}</th>
          </tr>
        </thead>
        <tbody>
          {metric.steps.slice(from).map((step, i) => (
            <tr key={step}>
              <td className="jp-mod-number">{step}</td>
              <td className="jp-mod-number">{shown(metric.values[from + i])}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
