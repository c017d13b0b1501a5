import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { operations } from '../api/operations';
import { toProblem } from '../api/problem';
import type { Lineage, Problem } from '../api/types';
import type { Session } from './session';

/** The graph around one thing; grows as the person expands nodes. */
export class LineageModel {
  constructor(
    private readonly _session: Session,
    readonly ref: string
  ) {}

  lineage: Lineage | null = null;
  problem: Problem | null = null;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  async open(): Promise<void> {
    if (!(await this._session.connect())) {
      this.problem = this._session.system.problem;
      this._changed.emit();
      return;
    }
    await this._load(this.ref);
  }

  expand(node: string): Promise<void> {
    return this._load(node);
  }

  dispose(): void {
    Signal.clearData(this);
  }

  private async _load(ref: string): Promise<void> {
    try {
      const found = await operations['lineage.show'](this._session.client, ref);
      this.lineage = this.lineage ? merge(this.lineage, found) : found;
      this.problem = null;
    } catch (error) {
      this.problem = toProblem(error);
    }
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
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
