import { operations } from '../api/operations';
import type { Client } from '../api/client';
import type { Permission } from '../api/types';
import { ListModel } from './listModel';

/** What this person may do in one project, and why not the rest, in the platform's words. */
export class Permissions extends ListModel<Permission> {
  constructor(client: Client) {
    super(async () => ({ items: await operations['projects.permissions'](client) }), ['project']);
  }

  /** "Needs role data-scientist in vision: ask ann"; '' for what is allowed or not known yet. */
  whyNot(operation: string): string {
    const found = this.items.find(item => item.operation === operation);
    return found && !found.allowed
      ? found.words.charAt(0).toUpperCase() + found.words.slice(1)
      : '';
  }
}
