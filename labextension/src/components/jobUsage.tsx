import * as React from 'react';

import type { JobUsage, UsagePoint } from '../api/types';
import { EmptyState } from './basics';
import { Sparkline } from './charts';
import { useEnv } from './env';
import { bytes, duration, metric, percent } from './format';

interface IUse {
  label: string;
  values: number[];
  show: (value: number) => string;
}

/** What a job's processes use, over time, and what that says. */
export function JobUsageView(props: { usage: JobUsage | null; live: boolean }): React.ReactElement {
  const { trans } = useEnv();
  const { usage } = props;
  if (!usage || usage.points.length === 0) {
    return (
      <EmptyState
        title={props.live ? trans.__('Nothing measured yet') : trans.__('Nothing was measured')}
        text={trans.__('CPU, memory and GPU use are measured every few seconds while a job runs.')}
      />
    );
  }
  const uses = usesOf(usage.points, {
    cpu: trans.__('CPU cores busy'),
    memory: trans.__('Memory'),
    gpu: trans.__('GPU busy'),
    gpuMemory: trans.__('GPU memory')
  });
  return (
    <>
      {usage.hints.map(hint => (
        <p key={hint} className="jp-dlsys-Hint">
          {hint}
        </p>
      ))}
      <div className="jp-dlsys-Charts">
        {uses.map(use => (
          <figure key={use.label} className="jp-dlsys-Chart jp-mod-use">
            <figcaption>
              <strong>{use.label}</strong>
              <span className="jp-mod-number">
                {use.show(use.values[use.values.length - 1] ?? 0)}
              </span>
            </figcaption>
            <Sparkline values={use.values} label={use.label} />
            <small className="jp-dlsys-Weak">
              {trans.__('highest %1', use.show(Math.max(...use.values)))}
            </small>
          </figure>
        ))}
      </div>
      <p className="jp-dlsys-Weak">
        {trans.__(
          '%1 of CPU time in all; at most %2 of memory.',
          duration(usage.cpu_seconds),
          bytes(usage.peak_memory_bytes)
        )}
      </p>
    </>
  );
}

function usesOf(
  points: readonly UsagePoint[],
  words: { cpu: string; memory: string; gpu: string; gpuMemory: string }
): IUse[] {
  const column = (pick: (point: UsagePoint) => number | null | undefined): number[] =>
    points.map(pick).filter((value): value is number => typeof value === 'number');
  const all = [
    { label: words.cpu, values: column(point => point.cpus), show: metric },
    { label: words.memory, values: column(point => point.memory_bytes), show: bytes },
    { label: words.gpu, values: column(point => point.gpu_utilization), show: percent },
    { label: words.gpuMemory, values: column(point => point.gpu_memory_bytes), show: bytes }
  ];
  return all.filter(use => use.values.length > 0);
}
