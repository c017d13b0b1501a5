import type { Quota, Use } from '../api/types';

/** One resource that somebody has a limit of. */
export interface ILimited {
  whose: Quota;
  use: Use;
}

/** What of a user's and the current project's limits is used; nothing where there is no limit. */
export function limitedUse(
  quotas: readonly Quota[],
  user: string,
  project: string
): readonly ILimited[] {
  return quotas
    .filter(({ kind, name }) => name === (kind === 'user' ? user : project))
    .flatMap(whose => (whose.use ?? []).map(use => ({ whose, use })))
    .filter(({ use }) => typeof use.limit === 'number');
}
