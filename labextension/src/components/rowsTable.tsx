import { caretLeftIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Column, Rows } from '../api/types';
import { Button, Skeleton } from './basics';
import { useEnv } from './env';
import { count } from './format';

/** A page of rows; texts whole, images as thumbnails, numbers in line. */
export function RowsTable(props: {
  rows: Rows | null;
  onPage: (offset: number) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const { rows } = props;
  if (!rows) {
    return <Skeleton lines={8} height={20} />;
  }
  const size = Math.max(rows.rows.length, 1);
  const last = rows.offset + rows.rows.length;
  return (
    <>
      <div className="jp-dlsys-Scroll">
        <DataTable columns={rows.columns} rows={rows.rows} offset={rows.offset} />
      </div>
      <footer className="jp-dlsys-Pager">
        <span className="jp-mod-number">
          {rows.total
            ? trans.__('%1 – %2 of %3', count(rows.offset + 1), count(last), count(rows.total))
            : trans.__('No rows')}
        </span>
        <Button
          kind="quiet"
          iconOnly
          icon={caretLeftIcon}
          label={trans.__('Previous rows')}
          disabled={rows.offset === 0}
          onClick={() => props.onPage(Math.max(0, rows.offset - Math.max(size, 50)))}
        />
        <Button
          kind="quiet"
          iconOnly
          icon={caretRightIcon}
          label={trans.__('Next rows')}
          disabled={last >= rows.total}
          onClick={() => props.onPage(last)}
        />
      </footer>
    </>
  );
}

export function DataTable(props: {
  columns: readonly Column[];
  rows: readonly Record<string, unknown>[];
  offset?: number;
  className?: string;
}): React.ReactElement {
  return (
    <table className={`jp-dlsys-Table ${props.className ?? ''}`}>
      <thead>
        <tr>
          {props.offset === undefined ? null : <th aria-label="#" className="jp-mod-number" />}
          {props.columns.map(column => (
            <th key={column.name} title={column.type}>
              {column.name} <small>{column.type}</small>
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {props.rows.map((row, i) => (
          <tr key={i}>
            {props.offset === undefined ? null : (
              <td className="jp-mod-number jp-mod-weak">{props.offset + i + 1}</td>
            )}
            {props.columns.map(column => (
              <Cell
                key={column.name}
                value={row[column.name]}
                role={column.role}
                name={column.name}
              />
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Cell(props: { value: unknown; role?: string; name: string }): React.ReactElement {
  const { value } = props;
  if (value === null || value === undefined) {
    return <td className="jp-mod-weak">∅</td>;
  }
  if (typeof value === 'string' && value.startsWith('data:image/')) {
    return (
      <td>
        <img className="jp-dlsys-Thumbnail" src={value} alt={props.name} loading="lazy" />
      </td>
    );
  }
  if (typeof value === 'number') {
    return <td className="jp-mod-number">{value}</td>;
  }
  if (props.role === 'label') {
    return (
      <td>
        <span className="jp-dlsys-Chip">{String(value)}</span>
      </td>
    );
  }
  return (
    <td className="jp-dlsys-Table-text">
      {typeof value === 'string' ? value : JSON.stringify(value)}
    </td>
  );
}
