import { operations } from '../api/operations';
import type { Column, IEvent, Policy, PolicyRequest } from '../api/types';
import type { Session } from './session';
import { TabModel } from './tabModel';

/** Who may see a dataset, and what of it. */
export class PolicyModel extends TabModel {
  constructor(
    session: Session,
    readonly name: string
  ) {
    super(session);
  }

  policy: Policy | null = null;
  columns: readonly Column[] = [];

  async save(request: PolicyRequest): Promise<void> {
    this.policy = await operations['datasets.set_policy'](this.session.client, this.name, request);
    this.tell();
  }

  /** How many rows fulfil an expression, and of how many; a wrong one is refused. */
  async count(where: string): Promise<[number, number]> {
    const { client } = this.session;
    const ask = (given: string): Promise<{ total: number }> =>
      operations['datasets.rows'](client, this.name, { where: given, limit: 1 });
    const [some, all] = await Promise.all([ask(where), ask('')]);
    return [some.total, all.total];
  }

  protected override concerns(event: IEvent): boolean {
    return event.topic === 'dataset.policy' && event.subject === `dataset/${this.name}`;
  }

  protected async load(): Promise<void> {
    const { client } = this.session;
    const [dataset, policy] = await Promise.all([
      operations['datasets.show'](client, this.name),
      operations['datasets.policy'](client, this.name)
    ]);
    if (dataset.version) {
      this.columns = (await operations['datasets.version'](client, this.name, 'latest')).columns;
    }
    this.policy = policy;
  }
}
