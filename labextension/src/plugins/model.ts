import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { kernelIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { IDlsys } from '../tokens';
import { addTab } from './tab';

/** Main-area tab of a registered model. */
export const modelPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:model',
  description: 'Main-area tab of a registered model.',
  autoStart: true,
  requires: [IDlsys],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, restorer: ILayoutRestorer | null) =>
    addTab(app, dlsys, restorer, {
      command: CommandIDs.openModel,
      namespace: 'model',
      label: dlsys.trans.__('Open Model'),
      caption: dlsys.trans.__('Versions, aliases and metrics'),
      icon: kernelIcon,
      args: { name: 'string' },
      key: args => String(args['name']),
      title: args => String(args['name']),
      load: async () => {
        const { ModelTab } = await import(/* webpackChunkName: "models" */ '../widgets/modelTab');
        return (context, args) => new ModelTab(context, String(args['name']));
      }
    })
};
