import type { Client } from '../api/client';
import { operations } from '../api/operations';
import type { IssuedServiceToken, ServiceToken, ServiceTokenRequest } from '../api/types';
import { TabModel } from './tabModel';

const LIVE_MS = 10_000;

/** Tokens of programs in one project, which may be another than the current one. */
export class TokensModel extends TabModel {
  loaded = false;
  /** Another project was chosen, and its tokens have not come yet. */
  busy = false;
  project = '';
  tokens: readonly ServiceToken[] = [];
  /** Endpoints that a token can be for. */
  endpoints: readonly string[] = [];

  /** Show those of a project. */
  async choose(project: string): Promise<void> {
    this.project = project;
    this.busy = true;
    this.tokens = [];
    this.endpoints = [];
    this.tell();
    await this.refresh();
  }

  /** Load it again and again while `visible` says that somebody looks. */
  look(visible: () => boolean): void {
    clearInterval(this._poll);
    this._poll = window.setInterval(() => {
      if (this.loaded && document.visibilityState === 'visible' && visible()) {
        void this.refresh();
      }
    }, LIVE_MS);
  }

  /** The secret is in the answer, and kept nowhere here. */
  async issue(request: ServiceTokenRequest): Promise<IssuedServiceToken> {
    const issued = await operations['tokens.issue'](this._client(), request);
    void this.refresh();
    return issued;
  }

  async revoke(id: string): Promise<void> {
    await operations['tokens.revoke'](this._client(), id);
    await this.refresh();
  }

  override dispose(): void {
    clearInterval(this._poll);
    super.dispose();
  }

  protected async load(): Promise<void> {
    this.project ||= this.session.client.project;
    const { project } = this;
    const client = this._client();
    const [tokens, endpoints] = await Promise.all([
      operations['tokens.list'](client),
      operations['deployments.list'](client, { limit: 200 }).catch(() => ({ items: [] }))
    ]);
    if (project === this.project) {
      this.tokens = tokens;
      this.endpoints = endpoints.items.map(({ name }) => name);
      this.loaded = true;
      this.busy = false;
    }
  }

  private _client(): Client {
    return this.session.platform.session(this.project).client;
  }

  private _poll = 0;
}
