import { operations } from '../api/operations';
import type { Deployment, DeployRequest, IEvent, Model } from '../api/types';
import type { Session } from './session';
import { TabModel } from './tabModel';

/** One registered model. */
export class ModelModel extends TabModel {
  constructor(
    session: Session,
    readonly name: string
  ) {
    super(session);
  }

  model: Model | null = null;

  async promote(alias: string, version: number): Promise<void> {
    const { client } = this.session;
    this.model = await operations['models.promote'](client, this.name, alias, version);
    this.tell();
  }

  async demote(alias: string): Promise<void> {
    this.model = await operations['models.demote'](this.session.client, this.name, alias);
    this.tell();
  }

  deploy(request: DeployRequest): Promise<Deployment> {
    return operations['deployments.deploy'](this.session.client, request);
  }

  protected async load(): Promise<void> {
    this.model = await operations['models.show'](this.session.client, this.name);
  }

  protected override concerns(event: IEvent): boolean {
    return event.topic.startsWith('model') || event.topic.startsWith('deployment');
  }
}
