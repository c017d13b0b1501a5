import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { kernelIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { IDlsys } from '../tokens';
import { addTab } from './tab';

/** Main-area tab of machines, queue and kernels. */
export const computePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:compute',
  description: 'Main-area tab of machines, queue and kernels.',
  autoStart: true,
  requires: [IDlsys],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, restorer: ILayoutRestorer | null) =>
    addTab(app, dlsys, restorer, {
      command: CommandIDs.openCompute,
      namespace: 'compute',
      label: dlsys.trans.__('Compute'),
      caption: dlsys.trans.__('Machines, what jobs use, the queue and idle kernels'),
      icon: kernelIcon,
      args: {},
      key: () => 'all',
      title: () => dlsys.trans.__('Compute'),
      load: async () => {
        const { ComputeTab } = await import(/* webpackChunkName: "run" */ '../widgets/computeTab');
        return context => new ComputeTab(context);
      }
    })
};
