import dagre from '@dagrejs/dagre';
import { Background, Controls, Handle, Position, ReactFlow } from '@xyflow/react';
import type { Edge, Node, NodeProps } from '@xyflow/react';
import '@xyflow/react/dist/style.css';
import * as React from 'react';

import type { Lineage, LineageNode } from '../api/types';
import { useEnv } from './env';
import { ago } from './format';
import { nodeTitle, nodeWord } from './lineageWords';

const WIDTH = 190;
const HEIGHT = 58;

interface INodeData extends Record<string, unknown> {
  node: LineageNode;
  root: boolean;
  onOpen: (node: LineageNode) => void;
  onExpand: (id: string) => void;
}

type GraphNode = Node<INodeData, 'thing'>;

const NODE_TYPES = { thing: ThingNode };

/** The graph, left to right. Loaded only when it is looked at. */
export default function LineageGraph(props: {
  lineage: Lineage;
  onOpen: (node: LineageNode) => void;
  onExpand: (id: string) => void;
}): React.ReactElement {
  const { trans, dark } = useEnv();
  const { nodes, edges } = React.useMemo(() => layout(props), [props.lineage]);
  return (
    <div className="jp-dlsys-Graph">
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        fitView
        fitViewOptions={{ maxZoom: 1.1, padding: 0.15 }}
        minZoom={0.1}
        nodesDraggable={false}
        nodesConnectable={false}
        colorMode={dark ? 'dark' : 'light'}
        aria-label={trans.__('Lineage graph')}
        onNodeClick={(_event, node) => props.onOpen(node.data.node)}
      >
        <Background gap={18} />
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

function ThingNode(props: NodeProps<GraphNode>): React.ReactElement {
  const { trans } = useEnv();
  const { node, root, onOpen, onExpand } = props.data;
  return (
    <div
      className={`jp-dlsys-Node jp-mod-${node.type}${root ? ' jp-mod-root' : ''}`}
      title={`${node.id}\n${node.actor} · ${ago(node.created_at)}`}
      onKeyDown={event => event.key === 'Enter' && onOpen(node)}
    >
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <small>{nodeWord(trans, node.type)}</small>
      <strong>{nodeTitle(node)}</strong>
      {node.more ? (
        <button
          type="button"
          onClick={event => {
            event.stopPropagation();
            onExpand(node.id);
          }}
        >
          {trans.__('+%1', node.more)}
        </button>
      ) : null}
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
}

function layout(props: {
  lineage: Lineage;
  onOpen: (node: LineageNode) => void;
  onExpand: (id: string) => void;
}): { nodes: GraphNode[]; edges: Edge[] } {
  const { lineage, onOpen, onExpand } = props;
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: 'LR', nodesep: 22, ranksep: 64 });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(lineage.nodes.map(node => node.id));
  const edges = lineage.edges.filter(edge => known.has(edge.source) && known.has(edge.target));
  lineage.nodes.forEach(node => graph.setNode(node.id, { width: WIDTH, height: HEIGHT }));
  edges.forEach(edge => graph.setEdge(edge.source, edge.target));
  dagre.layout(graph);
  return {
    nodes: lineage.nodes.map(node => ({
      id: node.id,
      type: 'thing',
      data: { node, root: node.id === lineage.root, onOpen, onExpand },
      position: { x: graph.node(node.id).x - WIDTH / 2, y: graph.node(node.id).y - HEIGHT / 2 },
      width: WIDTH,
      height: HEIGHT,
      ariaLabel: nodeTitle(node)
    })),
    edges: edges.map(edge => ({
      id: `${edge.source}>${edge.target}:${edge.kind}`,
      source: edge.source,
      target: edge.target
    }))
  };
}
