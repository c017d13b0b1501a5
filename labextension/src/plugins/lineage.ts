import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { treeViewIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { IDlsys } from '../tokens';
import { addTab } from './tab';

/** Main-area tab of the lineage graph. */
export const lineagePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:lineage',
  description: 'Main-area tab of the lineage graph.',
  autoStart: true,
  requires: [IDlsys],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, restorer: ILayoutRestorer | null) =>
    addTab(app, dlsys, restorer, {
      command: CommandIDs.openLineage,
      namespace: 'lineage',
      label: dlsys.trans.__('Open Lineage'),
      caption: dlsys.trans.__('Where a thing came from'),
      icon: treeViewIcon,
      args: { ref: 'string' },
      key: args => String(args['ref']),
      title: () => dlsys.trans.__('Lineage'),
      load: async () => {
        const { LineageTab } = await import(
          /* webpackChunkName: "models" */ '../widgets/lineageTab'
        );
        return (context, args) => new LineageTab(context, String(args['ref']));
      }
    })
};
