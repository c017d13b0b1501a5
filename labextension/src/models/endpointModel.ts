import { operations } from '../api/operations';
import type {
  Deployment,
  IEvent,
  IssuedServiceToken,
  Prediction,
  ServiceToken,
  ServiceTokenRequest
} from '../api/types';
import type { Session } from './session';
import { TabModel } from './tabModel';

const POLL_MS = 2000;
const KEPT = 60;

/** One endpoint; its traffic is polled only while somebody looks at it. */
export class EndpointModel extends TabModel {
  constructor(
    session: Session,
    readonly name: string
  ) {
    super(session);
  }

  endpoint: Deployment | null = null;
  tokens: readonly ServiceToken[] = [];
  /** Requests per second, one value a poll, the newest last. */
  traffic: readonly number[] = [];

  override async open(): Promise<void> {
    await super.open();
    await this._listTokens();
  }

  /** Poll the traffic while `visible` says that somebody looks. */
  look(visible: () => boolean): void {
    clearInterval(this._poll);
    this._poll = window.setInterval(() => {
      if (document.visibilityState === 'visible' && this.endpoint && visible()) {
        void this.refresh();
      }
    }, POLL_MS);
  }

  predict(inputs: Record<string, unknown[]>): Promise<Prediction> {
    return operations['deployments.predict'](this.session.client, this.name, inputs);
  }

  async rollback(): Promise<void> {
    this.endpoint = await operations['deployments.rollback'](this.session.client, this.name);
    this.tell();
  }

  async undeploy(): Promise<void> {
    await operations['deployments.undeploy'](this.session.client, this.name);
    clearInterval(this._poll);
  }

  async issue(request: ServiceTokenRequest): Promise<IssuedServiceToken> {
    const { client } = this.session;
    const issued = await operations['tokens.issue'](client, {
      ...request,
      endpoint: this.name
    });
    await this._listTokens();
    return issued;
  }

  async revoke(id: string): Promise<void> {
    await operations['tokens.revoke'](this.session.client, id);
    await this._listTokens();
  }

  override dispose(): void {
    clearInterval(this._poll);
    super.dispose();
  }

  protected async load(): Promise<void> {
    this.endpoint = await operations['deployments.show'](this.session.client, this.name);
    const now = this.endpoint.statistics?.requests_per_second ?? 0;
    this.traffic = [...this.traffic, now].slice(-KEPT);
  }

  protected override concerns(event: IEvent): boolean {
    return event.topic.startsWith('deployment') && event.subject === `deployment/${this.name}`;
  }

  private async _listTokens(): Promise<void> {
    try {
      this.tokens = await operations['tokens.list'](this.session.client, { endpoint: this.name });
      this.tell();
    } catch {
      // the rest of the tab does not need it
    }
  }

  private _poll = 0;
}
