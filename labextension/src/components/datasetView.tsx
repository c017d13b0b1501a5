import {
  codeIcon,
  fileUploadIcon,
  runIcon,
  treeViewIcon,
  usersIcon
} from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Dataset, Diff, Policy, Problem, Rows, Version, VersionSummary } from '../api/types';
import { Badge, Button, EmptyState, Facts } from './basics';
import { CopyMenu, inProject } from './copyMenu';
import { ColumnCards } from './columnCards';
import { DiffView } from './diffView';
import { useEnv } from './env';
import { ago, bytes, count, moment, shortHash } from './format';
import { ForYou, visibilityWord } from './policyWords';
import { ProblemNote } from './problem';
import { RowsTable } from './rowsTable';
import { Tabs } from './tabs';
import { VersionList } from './versionList';
import { kindWord } from './words';

export interface IDatasetView {
  dataset: Dataset;
  policy: Policy | null;
  history: readonly VersionSummary[];
  more: boolean;
  /** Number of the version on show, also while it loads. */
  selected: number;
  version: Version | null;
  rows: Rows | null;
  rowsProblem: Problem | null;
  diff: Diff | null;
  onShow: (version: number) => void;
  onOlder: () => void;
  onPage: (offset: number, where: string) => void;
  onCompare: (base: number, target: number) => Promise<void>;
  onTag: (tag: string, version: number, move: boolean) => Promise<void>;
  onUntag: (tag: string) => Promise<void>;
  onInsert: (code: string) => void;
}

export function DatasetView(props: IDatasetView): React.ReactElement {
  const { trans } = useEnv();
  const { dataset, version } = props;
  return (
    <div className="jp-dlsys-Page">
      <DatasetHeader {...props} />
      {dataset.version === 0 ? (
        <EmptyDataset name={dataset.name} />
      ) : (
        <div className="jp-dlsys-Columns">
          <VersionList {...props} shown={props.selected} />
          <Tabs
            label={trans.__('What to see of this version')}
            tabs={[
              { id: 'rows', label: trans.__('Rows'), render: () => <RowsTab {...props} /> },
              {
                id: 'statistics',
                label: trans.__('Statistics'),
                count: version?.columns.length,
                render: () => (version ? <ColumnCards version={version} /> : null)
              },
              {
                id: 'diff',
                label: trans.__('Compare versions'),
                render: () => <DiffView {...props} />
              }
            ]}
          />
        </div>
      )}
    </div>
  );
}

function DatasetHeader(props: IDatasetView): React.ReactElement {
  const { trans, open, project, guest, current } = useEnv();
  const { dataset, version, policy } = props;
  const at = `v${props.selected || dataset.version}`;
  const ref = `${dataset.name}@${at}`;
  const train = guest
    ? { dataset: `${dataset.project}/${ref}`, project: current }
    : { dataset: ref };
  const python = `import jupyter_dlsys as dlsys\n\nds = dlsys.dataset("${ref}")\nds.to_pandas().head()`;
  const copies = {
    magic: `%dlsys datasets show ${ref}`,
    cli: `dlsys datasets show ${ref}`,
    python
  };
  return (
    <header className="jp-dlsys-Header">
      <div className="jp-dlsys-Header-title">
        <h2>{dataset.name}</h2>
        <Badge text={kindWord(trans, dataset.kind)} />
        {policy && policy.visibility !== 'project' ? (
          <Badge text={visibilityWord(trans, policy.visibility)} />
        ) : null}
        {version ? <Badge tone="ok" text={`v${version.version}`} title={version.hash} /> : null}
      </div>
      {dataset.description ? <p>{dataset.description}</p> : null}
      {policy ? <ForYou policy={policy} short /> : null}
      {version ? <VersionFacts version={version} /> : null}
      <div className="jp-dlsys-Actions">
        <Button
          kind="primary"
          icon={runIcon}
          label={trans.__('Train on this')}
          disabled={!dataset.version}
          needs={guest ? [] : 'jobs.submit'}
          onClick={() => open({ kind: 'submit', ...train })}
        />
        <Button
          icon={codeIcon}
          label={trans.__('Insert code')}
          onClick={() => props.onInsert(inProject(copies, project).python)}
        />
        <Button
          icon={fileUploadIcon}
          label={trans.__('Commit file…')}
          needs="datasets.commit"
          onClick={() => open({ kind: 'commit', dataset: dataset.name })}
        />
        <Button
          icon={treeViewIcon}
          label={trans.__('Lineage')}
          disabled={!dataset.version}
          needs="lineage.show"
          onClick={() => open({ kind: 'lineage', ref: `dataset/${ref}` })}
        />
        {policy ? (
          <Button
            icon={usersIcon}
            label={trans.__('Who can see this')}
            onClick={() => open({ kind: 'access', name: dataset.name })}
          />
        ) : null}
        <CopyMenu copies={copies} />
      </div>
    </header>
  );
}

function VersionFacts(props: { version: Version }): React.ReactElement {
  const { trans } = useEnv();
  const { version } = props;
  return (
    <Facts
      items={[
        [trans.__('Rows'), count(version.rows)],
        [trans.__('Size'), bytes(version.bytes)],
        [trans.__('Labels'), version.labels.length ? version.labels.join(', ') : ''],
        [trans.__('By'), version.author],
        [
          trans.__('Committed'),
          <time key="t" dateTime={version.created_at} title={moment(version.created_at)}>
            {ago(version.created_at)}
          </time>
        ],
        [
          trans.__('Content hash'),
          <code key="h" title={version.hash}>
            {shortHash(version.hash)}
          </code>
        ]
      ]}
    />
  );
}

function EmptyDataset(props: { name: string }): React.ReactElement {
  const { trans, open } = useEnv();
  return (
    <EmptyState
      icon={fileUploadIcon}
      title={trans.__('No rows yet')}
      text={trans.__('Commit a file to make version 1.')}
    >
      <Button
        kind="primary"
        label={trans.__('Commit file…')}
        needs="datasets.commit"
        onClick={() => open({ kind: 'commit', dataset: props.name })}
      />
    </EmptyState>
  );
}

function RowsTab(props: IDatasetView): React.ReactElement {
  const { trans } = useEnv();
  const [where, setWhere] = React.useState('');
  return (
    <>
      <form
        className="jp-dlsys-Toolbar"
        onSubmit={event => {
          event.preventDefault();
          props.onPage(0, where);
        }}
      >
        <input
          className="jp-dlsys-Input jp-mod-code"
          aria-label={trans.__('Rows that fulfil')}
          placeholder={trans.__("Filter, e.g. label == 'happy'")}
          value={where}
          onChange={event => setWhere(event.target.value)}
        />
        <Button submit label={trans.__('Filter')} />
      </form>
      {props.rowsProblem ? <ProblemNote problem={props.rowsProblem} /> : null}
      <RowsTable rows={props.rows} onPage={offset => props.onPage(offset, where)} />
    </>
  );
}
