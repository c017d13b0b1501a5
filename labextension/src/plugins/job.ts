import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { runIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { IDlsys } from '../tokens';
import { addTab } from './tab';

/** Main-area tab of a job. */
export const jobPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:job',
  description: 'Main-area tab of a job.',
  autoStart: true,
  requires: [IDlsys],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, restorer: ILayoutRestorer | null) =>
    addTab(app, dlsys, restorer, {
      command: CommandIDs.openJob,
      namespace: 'job',
      label: dlsys.trans.__('Open Job'),
      caption: dlsys.trans.__('Curves, live notebook and log'),
      icon: runIcon,
      args: { id: 'string' },
      key: args => String(args['id']),
      title: () => dlsys.trans.__('Job'),
      load: async () => {
        const { JobTab } = await import(/* webpackChunkName: "run" */ '../widgets/jobTab');
        return (context, args) => new JobTab(context, String(args['id']));
      }
    })
};
