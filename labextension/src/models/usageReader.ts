import { operations } from '../api/operations';
import type { JobUsage } from '../api/types';
import type { Session } from './session';

/** What a job used so far; read once more after its end, then never again. */
export class UsageReader {
  constructor(
    private readonly _session: Session,
    private readonly _id: string
  ) {}

  usage: JobUsage | null = null;

  /** True when there is something new. */
  async read(ended: boolean): Promise<boolean> {
    if (this._final) {
      return false;
    }
    try {
      this.usage = await operations['jobs.usage'](this._session.client, this._id);
    } catch {
      return false; // the rest of the tab does not need it
    }
    this._final = ended;
    return true;
  }

  private _final = false;
}
