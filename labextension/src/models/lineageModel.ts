import { operations } from '../api/operations';
import type { Lineage } from '../api/types';
import type { Session } from './session';
import { TabModel } from './tabModel';

/** The graph around one thing; grows as the person expands nodes. */
export class LineageModel extends TabModel {
  constructor(
    session: Session,
    readonly ref: string
  ) {
    super(session);
  }

  lineage: Lineage | null = null;

  expand(node: string): Promise<void> {
    return this.attempt(() => this._add(node));
  }

  protected load(): Promise<void> {
    return this._add(this.ref);
  }

  private async _add(ref: string): Promise<void> {
    const found = await operations['lineage.show'](this.session.client, ref);
    this.lineage = this.lineage ? merge(this.lineage, found) : found;
  }
}

function merge(one: Lineage, other: Lineage): Lineage {
  const nodes = new Map([...one.nodes, ...other.nodes].map(node => [node.id, node]));
  const edges = new Map(
    [...one.edges, ...other.edges].map(edge => [`${edge.source}>${edge.target}:${edge.kind}`, edge])
  );
  return {
    ...one,
    nodes: [...nodes.values()],
    edges: [...edges.values()],
    truncated: one.truncated || other.truncated
  };
}
