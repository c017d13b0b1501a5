import { historyIcon, treeViewIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { toProblem } from '../api/problem';
import type {
  Deployment,
  IssuedServiceToken,
  Prediction,
  Problem,
  ServiceToken,
  ServiceTokenRequest
} from '../api/types';
import { Badge, Button, Facts, Go, Section } from './basics';
import { Sparkline } from './charts';
import { CopyMenu } from './copyMenu';
import { useEnv } from './env';
import { ago, count, metric, percent } from './format';
import { ProblemNote } from './problem';
import { Snippets } from './snippets';
import { TokensView } from './tokensView';
import { TryIt } from './tryIt';
import { endpointTone, endpointWord } from './words';

export interface IEndpointView {
  endpoint: Deployment;
  traffic: readonly number[];
  tokens: readonly ServiceToken[];
  onPredict: (inputs: Record<string, unknown[]>) => Promise<Prediction>;
  onRollback: () => Promise<void>;
  onUndeploy: () => Promise<void>;
  onIssue: (request: ServiceTokenRequest) => Promise<IssuedServiceToken>;
  onRevoke: (id: string) => Promise<void>;
}

export function EndpointView(props: IEndpointView): React.ReactElement {
  const { trans } = useEnv();
  const { endpoint } = props;
  return (
    <div className="jp-dlsys-Page">
      <EndpointHeader {...props} />
      <div className="jp-dlsys-Split">
        <Section title={trans.__('Try it')}>
          <TryIt
            contract={endpoint.contract ?? null}
            ready={answers(endpoint)}
            onPredict={props.onPredict}
          />
        </Section>
        <Section title={trans.__('Traffic')}>
          <Traffic endpoint={endpoint} traffic={props.traffic} />
        </Section>
      </div>
      <Section title={trans.__('Use it in a program')}>
        <Snippets endpoint={endpoint} />
        <TokensView
          endpoint={endpoint.name}
          tokens={props.tokens}
          onIssue={props.onIssue}
          onRevoke={props.onRevoke}
        />
      </Section>
    </div>
  );
}

const answers = (endpoint: Deployment): boolean =>
  ['ready', 'updating', 'degraded'].includes(endpoint.state);

function EndpointHeader(props: IEndpointView): React.ReactElement {
  const { trans, open } = useEnv();
  const { endpoint } = props;
  const name = endpoint.model.split('@')[0] ?? endpoint.model;
  const moving = endpoint.version !== endpoint.target_version;
  return (
    <header className="jp-dlsys-Header">
      <div className="jp-dlsys-Header-title">
        <h2>{endpoint.name}</h2>
        <Badge tone={endpointTone(endpoint.state)} text={endpointWord(trans, endpoint.state)} />
        {endpoint.version ? <Badge text={`v${endpoint.version}`} /> : null}
      </div>
      {endpoint.message ? (
        <p
          className={`jp-dlsys-Reason${endpoint.state === 'failed' ? ' jp-mod-bad' : ''}`}
          aria-live="polite"
        >
          {endpoint.message}
        </p>
      ) : null}
      <Facts
        items={[
          [
            trans.__('Model'),
            <Go key="m" onClick={() => open({ kind: 'model', name })}>
              {endpoint.model}
            </Go>
          ],
          [trans.__('Moving to'), moving ? `v${endpoint.target_version}` : ''],
          [trans.__('Before'), endpoint.previous_version ? `v${endpoint.previous_version}` : ''],
          [
            trans.__('Golden examples'),
            endpoint.golden ? <Golden key="g" endpoint={endpoint} /> : ''
          ],
          [trans.__('Deployed'), ago(endpoint.created_at)],
          [trans.__('By'), endpoint.owner]
        ]}
      />
      <EndpointActions {...props} />
    </header>
  );
}

function Golden(props: { endpoint: Deployment }): React.ReactElement | null {
  const { trans } = useEnv();
  const { golden } = props.endpoint;
  return golden ? (
    <span
      title={trans.__(
        'Examples kept with the model were replayed through the endpoint before it took traffic; largest difference %1',
        metric(golden.max_difference)
      )}
    >
      <Badge
        tone={golden.matched === golden.examples ? 'ok' : 'bad'}
        text={trans.__('%1 of %2 match', golden.matched, golden.examples)}
      />
    </span>
  ) : null;
}

function EndpointActions(props: IEndpointView): React.ReactElement {
  const { trans, open } = useEnv();
  const [sure, setSure] = React.useState(false);
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const { endpoint } = props;
  const act = (work: Promise<void>): void => {
    setProblem(null);
    setSure(false);
    work.catch(error => setProblem(toProblem(error)));
  };
  return (
    <>
      <div className="jp-dlsys-Actions">
        <Button
          icon={historyIcon}
          label={
            endpoint.previous_version
              ? trans.__('Roll back to v%1', endpoint.previous_version)
              : trans.__('Roll back')
          }
          disabled={!endpoint.previous_version}
          needs="deployments.rollback"
          onClick={() => act(props.onRollback())}
        />
        <Button
          icon={treeViewIcon}
          label={trans.__('Lineage')}
          onClick={() => open({ kind: 'lineage', ref: `deployment/${endpoint.name}` })}
        />
        <CopyMenu
          copies={{
            magic: `%dlsys endpoints`,
            cli: `dlsys predict ${endpoint.name} -`,
            python: `import jupyter_dlsys as dlsys\n\ndlsys.connect().deployments.predict("${endpoint.name}", {})`
          }}
        />
        {sure ? (
          <span
            className="jp-dlsys-Confirm"
            role="alertdialog"
            aria-label={trans.__('Stop serving?')}
          >
            {trans.__('Programs that call it will get errors.')}
            <Button
              kind="danger"
              label={trans.__('Stop serving')}
              onClick={() => act(props.onUndeploy())}
            />
            <Button kind="quiet" label={trans.__('Keep it')} onClick={() => setSure(false)} />
          </span>
        ) : (
          <Button
            kind="danger"
            label={trans.__('Undeploy…')}
            needs="deployments.undeploy"
            onClick={() => setSure(true)}
          />
        )}
      </div>
      {problem ? <ProblemNote problem={problem} /> : null}
    </>
  );
}

function Traffic(props: { endpoint: Deployment; traffic: readonly number[] }): React.ReactElement {
  const { trans } = useEnv();
  const s = props.endpoint.statistics;
  const ms = (value: number | null | undefined): string =>
    value === null || value === undefined ? '–' : trans.__('%1 ms', metric(value));
  const tiles: [string, string][] = [
    [trans.__('Requests per second'), metric(s.requests_per_second)],
    [trans.__('Requests'), count(s.requests)],
    [trans.__('Errors'), s.requests ? percent(s.errors / s.requests) : '0 %'],
    [trans.__('Latency, median'), ms(s.p50_ms)],
    [trans.__('Latency, slowest 1 %'), ms(s.p99_ms)],
    [trans.__('Restarts'), count(s.restarts)]
  ];
  return (
    <>
      <dl className="jp-dlsys-Tiles">
        {tiles.map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {props.traffic.length > 1 ? (
        <Sparkline values={props.traffic} label={trans.__('Requests per second')} />
      ) : null}
      <small className="jp-dlsys-Weak">
        {trans.__('Of the last minutes; live while you look.')}
      </small>
    </>
  );
}
