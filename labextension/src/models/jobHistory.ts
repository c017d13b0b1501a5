import type { Client } from '../api/client';
import { operations } from '../api/operations';
import type { IEvent } from '../api/types';

const FIRST_PAGE = 500;
const PAGE = 5000;

export interface IEventPage {
  events: readonly IEvent[];
  more: boolean;
}

/** A job's events after `since`, oldest first; the first page is small, so that it is soon there. */
export async function* eventPages(
  client: Client,
  job: string,
  since: number
): AsyncGenerator<IEventPage> {
  for (let limit = FIRST_PAGE; ; limit = PAGE) {
    const events = await operations['jobs.events'](client, job, { since, limit });
    const more = events.length >= limit;
    yield { events, more };
    if (!more) {
      return;
    }
    since = events[events.length - 1]?.seq ?? since;
  }
}
