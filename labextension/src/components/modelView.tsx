import { launchIcon, offlineBoltIcon, treeViewIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { toProblem } from '../api/problem';
import type { DeployRequest, Model, ModelVersion, Problem } from '../api/types';
import { Badge, Button, Chip, EmptyState, Facts, Go, Section, useWhyNot } from './basics';
import { ContractView } from './contractView';
import { CopyMenu } from './copyMenu';
import { useEnv } from './env';
import { ago, metric, moment } from './format';
import { ProblemNote } from './problem';

export interface IModelView {
  model: Model;
  onPromote: (alias: string, version: number) => Promise<void>;
  onDemote: (alias: string) => Promise<void>;
  onDeploy: (request: DeployRequest) => Promise<void>;
}

export function ModelView(props: IModelView): React.ReactElement {
  const { trans, open } = useEnv();
  const { model } = props;
  const versions = model.versions ?? [];
  const newest = versions[0];
  const best = model.aliases?.['champion'];
  const ref = best ? `${model.name}@champion` : `${model.name}@v${newest?.version ?? 1}`;
  return (
    <div className="jp-dlsys-Page">
      <header className="jp-dlsys-Header">
        <div className="jp-dlsys-Header-title">
          <h2>{model.name}</h2>
          {Object.entries(model.aliases ?? {}).map(([alias, version]) => (
            <Badge key={alias} tone="ok" text={`@${alias} → v${version}`} />
          ))}
        </div>
        {model.description ? <p>{model.description}</p> : null}
        <Facts
          items={[
            [trans.__('Versions'), versions.length],
            [trans.__('Changed'), ago(model.updated_at)],
            [
              trans.__('Deployed as'),
              model.deployments?.length
                ? model.deployments.map(name => (
                    <Go key={name} onClick={() => open({ kind: 'endpoint', name })}>
                      {name}
                    </Go>
                  ))
                : ''
            ]
          ]}
        />
        <div className="jp-dlsys-Actions">
          <Button
            icon={treeViewIcon}
            label={trans.__('Lineage')}
            disabled={!newest}
            onClick={() =>
              open({ kind: 'lineage', ref: `model/${model.name}@v${newest?.version ?? 1}` })
            }
          />
          <CopyMenu
            copies={{
              magic: `%dlsys deploy ${ref}`,
              cli: `dlsys deploy ${ref}`,
              python: `import jupyter_dlsys as dlsys\n\ndlsys.connect().deployments.deploy("${ref}")`
            }}
          />
        </div>
      </header>
      {versions.length ? (
        <VersionsTable {...props} versions={versions} />
      ) : (
        <EmptyState
          title={trans.__('No version')}
          text={trans.__('A job that logs this model makes one.')}
        />
      )}
      {newest?.contract ? (
        <Section
          title={trans.__('What it takes and gives')}
          aside={<small>v{newest.version}</small>}
        >
          <ContractView contract={newest.contract} />
        </Section>
      ) : null}
    </div>
  );
}

/** Metrics that tell versions apart, the ones of the newest first. */
function columnsOf(versions: readonly ModelVersion[]): string[] {
  const keys = new Set(versions.flatMap(version => Object.keys(version.metrics ?? {})));
  const rank = (key: string): number => {
    const kind = ['acc', 'f1', 'auc', 'loss'].findIndex(word => key.includes(word));
    return (/^(test|val)/.test(key) ? 0 : 10) + (kind < 0 ? 5 : kind);
  };
  return [...keys].sort((a, b) => rank(a) - rank(b)).slice(0, 6);
}

function VersionsTable(props: IModelView & { versions: ModelVersion[] }): React.ReactElement {
  const { trans } = useEnv();
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const keys = columnsOf(props.versions);
  const act = (work: Promise<void>): void => {
    setProblem(null);
    work.catch(error => setProblem(toProblem(error)));
  };
  return (
    <Section title={trans.__('Versions')}>
      {problem ? <ProblemNote problem={problem} /> : null}
      <div className="jp-dlsys-Scroll">
        <table className="jp-dlsys-Table jp-mod-roomy">
          <thead>
            <tr>
              <th>{trans.__('Version')}</th>
              <th>{trans.__('Aliases')}</th>
              {keys.map(key => (
                <th key={key} className="jp-mod-number">
                  {key}
                </th>
              ))}
              <th>{trans.__('Made')}</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {props.versions.map(version => (
              <VersionRow
                key={version.version}
                {...props}
                version={version}
                keys={keys}
                act={act}
              />
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

function VersionRow(
  props: IModelView & { version: ModelVersion; keys: string[]; act: (work: Promise<void>) => void }
): React.ReactElement {
  const { trans, open } = useEnv();
  const { version, model } = props;
  return (
    <tr>
      <td>
        <strong>v{version.version}</strong>
      </td>
      <td>
        <div className="jp-dlsys-Chips">
          {(version.aliases ?? []).map(alias => (
            <Chip
              key={alias}
              text={`@${alias}`}
              needs="models.demote"
              onRemove={() => props.act(props.onDemote(alias))}
            />
          ))}
          <PromoteMenu
            version={version}
            onPromote={alias => props.act(props.onPromote(alias, version.version))}
          />
        </div>
      </td>
      {props.keys.map(key => (
        <td key={key} className="jp-mod-number">
          {metric(version.metrics?.[key])}
        </td>
      ))}
      <td title={moment(version.created_at)}>
        {ago(version.created_at)}{' '}
        {version.job ? (
          <Go onClick={() => open({ kind: 'job', id: version.job ?? '' })}>{trans.__('job')}</Go>
        ) : null}
      </td>
      <td className="jp-dlsys-Table-actions">
        <Button
          kind="primary"
          icon={offlineBoltIcon}
          label={trans.__('Deploy')}
          needs="deployments.deploy"
          onClick={() => props.act(props.onDeploy({ model: deployRef(model, version) }))}
        />
        <Button
          kind="quiet"
          iconOnly
          icon={treeViewIcon}
          label={trans.__('Where v%1 comes from', version.version)}
          onClick={() => open({ kind: 'lineage', ref: `model/${model.name}@v${version.version}` })}
        />
        {version.run_id ? (
          <Button
            kind="quiet"
            iconOnly
            icon={launchIcon}
            label={trans.__('Run in MLflow')}
            onClick={() => open({ kind: 'run', run: version.run_id ?? '' })}
          />
        ) : null}
      </td>
    </tr>
  );
}

/** An alias is followed when it moves, so a version that has one is deployed by it. */
function deployRef(model: Model, version: ModelVersion): string {
  const alias = version.aliases?.includes('champion') ? 'champion' : version.aliases?.[0];
  return alias ? `${model.name}@${alias}` : `${model.name}@v${version.version}`;
}

function PromoteMenu(props: {
  version: ModelVersion;
  onPromote: (alias: string) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const refused = useWhyNot('models.promote');
  const left = ['champion', 'candidate'].filter(alias => !props.version.aliases?.includes(alias));
  return (
    <select
      className="jp-dlsys-Input jp-mod-small"
      aria-label={trans.__('Promote version %1', props.version.version)}
      value=""
      disabled={!!refused}
      title={refused || undefined}
      onChange={event => event.target.value && props.onPromote(event.target.value)}
    >
      <option value="">{trans.__('Promote…')}</option>
      {left.map(alias => (
        <option key={alias} value={alias}>
          @{alias}
        </option>
      ))}
    </select>
  );
}
