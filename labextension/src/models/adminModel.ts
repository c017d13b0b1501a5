import { operations } from '../api/operations';
import type { CreateProject, Project } from '../api/types';
import { TabModel } from './tabModel';

/** Which projects there are for this person, and in which of them what may be administered. */
export class AdminModel extends TabModel {
  loaded = false;
  projects: readonly Project[] = [];

  /** Of the whole platform. */
  get administrator(): boolean {
    return this.session.system.whoami?.scopes.includes('admin') ?? false;
  }

  /** Projects that this person is a maintainer of. */
  get managed(): readonly Project[] {
    return this.projects.filter(project => project.rights?.includes('manage'));
  }

  /** A new shared project, with this person as its maintainer. */
  async create(request: CreateProject): Promise<void> {
    await operations['projects.create'](this.session.client, request);
    await this.refresh();
  }

  protected async load(): Promise<void> {
    this.projects = await operations['projects.list'](this.session.client);
    this.loaded = true;
  }
}
