import * as React from 'react';

import { Sidebar } from '../components/sidebar';
import type { IContext } from './context';
import { View } from './view';

export class SidebarView extends View {
  constructor(context: IContext) {
    super(context);
    const { session } = context;
    this.follow(session.platform.projects);
    this.follow(session.shared);
    [session.system, session.datasets, session.jobs, session.models].forEach(m => this.follow(m));
    [session.endpoints, session.schedules].forEach(model => this.follow(model));
    void session.connect();
  }

  protected body(): React.ReactElement {
    const { platform, session } = this.context;
    return (
      <Sidebar
        project={platform.several ? session.project : null}
        state={session.system.state}
        problem={session.system.problem}
        datasets={session.datasets}
        shared={session.shared.items}
        jobs={session.jobs}
        models={session.models}
        endpoints={session.endpoints}
        schedules={session.schedules}
        workers={session.system.workers}
        manages={session.system.whoami?.scopes.includes('manage') ?? false}
        onRetry={() => void session.connect()}
      />
    );
  }
}
