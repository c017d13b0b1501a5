import * as React from 'react';

import type { Column, ColumnStatistics, Version } from '../api/types';
import { Badge, Section } from './basics';
import { CountBars, MiniHistogram } from './charts';
import { useEnv } from './env';
import { count, metric, percent } from './format';

/** Label balance and one card a column. */
export function ColumnCards(props: { version: Version }): React.ReactElement {
  const { trans } = useEnv();
  const { statistics, columns } = props.version;
  const byName = new Map(columns.map(column => [column.name, column]));
  return (
    <>
      {statistics.labels?.length ? (
        <Section title={trans.__('Label balance')}>
          <CountBars values={statistics.labels} total={statistics.rows} />
        </Section>
      ) : null}
      <Section title={trans.__('Columns')}>
        <div className="jp-dlsys-Cards">
          {(statistics.columns ?? []).map(column => (
            <ColumnCard
              key={column.name}
              column={byName.get(column.name)}
              statistics={column}
              rows={statistics.rows}
            />
          ))}
        </div>
      </Section>
    </>
  );
}

function ColumnCard(props: {
  column: Column | undefined;
  statistics: ColumnStatistics;
  rows: number;
}): React.ReactElement {
  const { trans } = useEnv();
  const { column, statistics: s } = props;
  const ofText = /string/.test(column?.type ?? '');
  const facts = [
    ofText && s.histogram && column?.role !== 'label' ? trans.__('length in characters') : '',
    column?.role === 'image' && s.histogram ? trans.__('width in pixels') : '',
    s.missing ? trans.__('%1 missing', percent(s.missing / Math.max(props.rows, 1))) : '',
    s.distinct !== null && s.distinct !== undefined
      ? trans.__('%1 distinct', count(s.distinct))
      : '',
    !(column?.role === 'label') && s.mean !== null && s.mean !== undefined
      ? trans.__('mean %1', metric(s.mean))
      : '',
    !(column?.role === 'label') && s.std !== null && s.std !== undefined
      ? trans.__('± %1', metric(s.std))
      : ''
  ];
  return (
    <article className="jp-dlsys-Card">
      <header>
        <strong>{s.name}</strong>
        <code>{column?.type}</code>
        {column?.role ? <Badge text={column.role} tone="ok" /> : null}
      </header>
      {s.top?.length && column?.role !== 'text' ? (
        <CountBars values={s.top.slice(0, 6)} total={props.rows} />
      ) : s.histogram?.counts.length ? (
        <MiniHistogram histogram={s.histogram} label={trans.__('Distribution of %1', s.name)} />
      ) : null}
      {s.sizes?.length ? <CountBars values={s.sizes.slice(0, 5)} total={props.rows} /> : null}
      <small className="jp-dlsys-Weak">{facts.filter(Boolean).join(' · ')}</small>
    </article>
  );
}
