import { operations } from '../api/operations';
import type { IEvent, Member, Role } from '../api/types';
import { TabModel } from './tabModel';

type Who = Pick<Member, 'kind' | 'name'>;

/** One change of a member; a role of null is not being one. */
export interface IChange extends Who {
  before: Role | null;
  now: Role | null;
}

/** Who is in a project; the last change can be taken back. */
export class MembersModel extends TabModel {
  members: readonly Member[] | null = null;
  last: IChange | null = null;

  /** Give somebody a role, or none. */
  async change(who: Who, now: Role | null): Promise<void> {
    const before = this._find(who)?.role ?? null;
    await this._put(who, now);
    this.last = { ...who, before, now };
    await this.refresh();
  }

  /** Take the last change back. */
  async undo(): Promise<void> {
    const { last } = this;
    if (last) {
      await this._put(last, last.before);
      this.last = null;
      await this.refresh();
    }
  }

  protected override concerns(event: IEvent): boolean {
    return event.topic.startsWith('project');
  }

  protected async load(): Promise<void> {
    this.members = await operations['projects.members'](this.session.client);
  }

  private async _put({ kind, name }: Who, role: Role | null): Promise<void> {
    const { client } = this.session;
    if (role) {
      await operations['projects.add_member'](client, kind, name, role);
    } else {
      await operations['projects.remove_member'](client, kind, name);
    }
  }

  private _find({ kind, name }: Who): Member | undefined {
    return this.members?.find(member => member.kind === kind && member.name === name);
  }
}
