import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { offlineBoltIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { IDlsys } from '../tokens';
import { addTab } from './tab';

/** Main-area tab of an endpoint. */
export const endpointPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:endpoint',
  description: 'Main-area tab of an endpoint.',
  autoStart: true,
  requires: [IDlsys],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, restorer: ILayoutRestorer | null) =>
    addTab(app, dlsys, restorer, {
      command: CommandIDs.openEndpoint,
      namespace: 'endpoint',
      label: dlsys.trans.__('Open Endpoint'),
      caption: dlsys.trans.__('Try it, traffic, code for programs'),
      icon: offlineBoltIcon,
      args: { name: 'string' },
      key: args => String(args['name']),
      title: args => dlsys.trans.__('%1 (endpoint)', String(args['name'])),
      load: async () => {
        const { EndpointTab } = await import(
          /* webpackChunkName: "models" */ '../widgets/endpointTab'
        );
        return (context, args) => new EndpointTab(context, String(args['name']));
      }
    })
};
