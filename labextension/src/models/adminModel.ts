import { operations } from '../api/operations';
import { ProblemError } from '../api/problem';
import type { CreateProject, Project } from '../api/types';
import type { Session } from './session';
import { TabModel } from './tabModel';

/** Which projects there are for this person, and in which of them what may be administered. */
export class AdminModel extends TabModel {
  constructor(session: Session) {
    super(session);
    session.platform.projects.changed.connect(this.tell, this);
  }

  get loaded(): boolean {
    return this.session.platform.projects.loaded;
  }

  get projects(): readonly Project[] {
    return this.session.platform.projects.items;
  }

  /** Of the whole platform. */
  get administrator(): boolean {
    return this.session.system.whoami?.scopes.includes('admin') ?? false;
  }

  /** Projects that this person is a maintainer of. */
  get managed(): readonly Project[] {
    return this.projects.filter(project => project.rights?.includes('manage'));
  }

  /** Behind a hub everybody has a project of their own; alone on a machine there is but one. */
  get team(): boolean {
    return this.projects.some(project => project.kind === 'personal');
  }

  /** A new shared project, with this person as its maintainer. */
  async create(request: CreateProject): Promise<void> {
    await operations['projects.create'](this.session.client, request);
    await this.refresh();
  }

  override dispose(): void {
    this.session.platform.projects.changed.disconnect(this.tell, this);
    super.dispose();
  }

  protected async load(): Promise<void> {
    const { projects } = this.session.platform;
    await projects.refresh();
    if (projects.problem) {
      throw new ProblemError(projects.problem);
    }
  }
}
