import * as React from 'react';

import type { Lineage, LineageNode } from '../api/types';
import { targetOfNode } from '../models/targets';
import { Button, EmptyState, Go, Skeleton } from './basics';
import { CopyMenu } from './copyMenu';
import { useEnv } from './env';
import { ago } from './format';
import { nodeTitle, nodeWord } from './lineageWords';

const Graph = React.lazy(() => import('./lineageGraph'));

/** Where a thing came from and what came of it, as a graph or as a list. */
export function LineageView(props: {
  lineage: Lineage;
  reference: string;
  onExpand: (node: string) => void;
}): React.ReactElement {
  const { trans, open } = useEnv();
  const [list, setList] = React.useState(false);
  const { lineage } = props;
  const onOpen = (node: LineageNode): void => {
    const target = targetOfNode(node.id, node.type, node.properties ?? {});
    if (target) {
      open(target);
    }
  };
  return (
    <div className="jp-dlsys-Page jp-mod-fill">
      <header className="jp-dlsys-Header">
        <div className="jp-dlsys-Header-title">
          <h2>{trans.__('Lineage of %1', props.reference)}</h2>
        </div>
        <div className="jp-dlsys-Toolbar">
          <span className="jp-dlsys-Weak">
            {trans.__('What was there first is on the left. Click a thing to open it.')}
          </span>
          <label>
            <input
              type="checkbox"
              checked={list}
              onChange={event => setList(event.target.checked)}
            />
            {trans.__('As a list')}
          </label>
          <CopyMenu
            copies={{
              magic: `%dlsys lineage ${props.reference}`,
              cli: `dlsys lineage ${props.reference}`,
              python: `import jupyter_dlsys as dlsys\n\ndlsys.connect().lineage.show("${props.reference}")`
            }}
          />
        </div>
        {lineage.truncated ? (
          <p className="jp-dlsys-Finding">
            {trans.__('The graph is large: only a part is shown. Expand a node to see more.')}
          </p>
        ) : null}
      </header>
      {lineage.nodes.length === 0 ? (
        <EmptyState
          title={trans.__('Nothing is connected yet')}
          text={trans.__('Lineage grows as jobs read data and log models.')}
        />
      ) : list ? (
        <LineageList lineage={lineage} onOpen={onOpen} onExpand={props.onExpand} />
      ) : (
        <React.Suspense fallback={<Skeleton lines={6} height={24} />}>
          <Graph lineage={lineage} onOpen={onOpen} onExpand={props.onExpand} />
        </React.Suspense>
      )}
    </div>
  );
}

function LineageList(props: {
  lineage: Lineage;
  onOpen: (node: LineageNode) => void;
  onExpand: (node: string) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const byId = new Map(props.lineage.nodes.map(node => [node.id, node]));
  const nodes = [...props.lineage.nodes].sort((a, b) => a.created_at.localeCompare(b.created_at));
  return (
    <div className="jp-dlsys-Scroll">
      <table className="jp-dlsys-Table">
        <thead>
          <tr>
            <th>{trans.__('What')}</th>
            <th>{trans.__('Name')}</th>
            <th>{trans.__('Made of')}</th>
            <th>{trans.__('By')}</th>
            <th>{trans.__('When')}</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {nodes.map(node => (
            <tr key={node.id}>
              <td>{nodeWord(trans, node.type)}</td>
              <td>
                <Go title={node.id} onClick={() => props.onOpen(node)}>
                  {nodeTitle(node)}
                </Go>
              </td>
              <td>
                {props.lineage.edges
                  .filter(edge => edge.target === node.id)
                  .map(edge => byId.get(edge.source))
                  .map(source => (source ? nodeTitle(source) : ''))
                  .join(', ')}
              </td>
              <td>{node.actor}</td>
              <td>{ago(node.created_at)}</td>
              <td>
                {node.more ? (
                  <Button
                    kind="quiet"
                    label={trans.__('%1 more', node.more)}
                    onClick={() => props.onExpand(node.id)}
                  />
                ) : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
