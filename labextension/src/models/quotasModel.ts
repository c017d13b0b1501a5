import { operations } from '../api/operations';
import type { Limits, LimitsRequest, Quota } from '../api/types';
import { TabModel } from './tabModel';

/** What has no limits of its own has those of this name. */
export const EVERYBODY = '*';
const LIVE_MS = 10_000;

/** Limits and use of users and projects, as far as this person may see them. */
export class QuotasModel extends TabModel {
  loaded = false;
  quotas: readonly Quota[] = [];
  /** What a change a moment ago replaced; null when there is nothing to take back. */
  before: Quota | null = null;

  get user(): string {
    return this.session.system.whoami?.name ?? '';
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

  async set(quota: Quota, limits: Limits): Promise<void> {
    await this._put(quota, limits);
    await this._changedFrom(quota);
  }

  /** Back to the limits of everybody. */
  async unset(quota: Quota): Promise<void> {
    await operations['quotas.unset'](this.session.client, quota.kind, quota.name);
    await this._changedFrom(quota);
  }

  /** Take the last change back. */
  async undo(): Promise<void> {
    const { before } = this;
    if (!before) {
      return;
    }
    if (before.inherited || (before.name === EVERYBODY && !before.set_by)) {
      await operations['quotas.unset'](this.session.client, before.kind, before.name);
    } else {
      await this._put(before, before.limits);
    }
    this.before = null;
    await this.refresh();
  }

  override dispose(): void {
    clearInterval(this._poll);
    super.dispose();
  }

  protected async load(): Promise<void> {
    this.quotas = await operations['quotas.list'](this.session.client);
    this.loaded = true;
  }

  private _put(quota: Quota, limits: Limits): Promise<Quota> {
    return operations['quotas.set'](this.session.client, quota.kind, quota.name, whole(limits));
  }

  private async _changedFrom(quota: Quota): Promise<void> {
    this.before = quota;
    await this.refresh();
  }

  private _poll = 0;
}

/** A change replaces all limits: what is not named would be lost. */
function whole(limits: Limits): LimitsRequest {
  return {
    gpu_hours: limits.gpu_hours ?? null,
    jobs: limits.jobs ?? null,
    storage_bytes: limits.storage_bytes ?? null,
    endpoints: limits.endpoints ?? null
  };
}
