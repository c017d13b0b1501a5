import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { historyIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { IDlsys } from '../tokens';
import type { PlanTab } from '../widgets/planTab';
import { addTab } from './tab';

/** Main-area tabs that make and show a schedule. */
export const schedulePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:schedule',
  description: 'Main-area tabs that make and show a schedule.',
  autoStart: true,
  requires: [IDlsys],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, restorer: ILayoutRestorer | null) => {
    const { trans } = dlsys;
    addTab(app, dlsys, restorer, {
      command: CommandIDs.schedule,
      namespace: 'plan',
      label: trans.__('Schedule a Notebook…'),
      caption: trans.__('Run it again and again, at times you choose'),
      icon: historyIcon,
      needs: 'schedules.create',
      args: { path: 'string' },
      key: args => path(args),
      title: () => trans.__('Schedule'),
      load: async () => {
        const { PlanTab } = await import(/* webpackChunkName: "run" */ '../widgets/planTab');
        return (context, args) => new PlanTab(context, path(args));
      },
      again: content => (content as PlanTab).again()
    });
    addTab(app, dlsys, restorer, {
      command: CommandIDs.openSchedule,
      namespace: 'schedule',
      label: trans.__('Open Schedule'),
      caption: trans.__('Times, history and policies'),
      icon: historyIcon,
      args: { id: 'string' },
      key: args => String(args['id']),
      title: () => trans.__('Schedule'),
      load: async () => {
        const { ScheduleTab } = await import(
          /* webpackChunkName: "run" */ '../widgets/scheduleTab'
        );
        return (context, args) => new ScheduleTab(context, String(args['id']));
      }
    });
  }
};

const path = (args: Record<string, unknown>): string =>
  typeof args['path'] === 'string' ? args['path'] : '';
