import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { spreadsheetIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { IDlsys } from '../tokens';
import type { DatasetTab } from '../widgets/datasetTab';
import { addTab } from './tab';

/** Main-area tab of a dataset. */
export const datasetPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:dataset',
  description: 'Main-area tab of a dataset.',
  autoStart: true,
  requires: [IDlsys],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, restorer: ILayoutRestorer | null) =>
    addTab(app, dlsys, restorer, {
      command: CommandIDs.openDataset,
      namespace: 'dataset',
      label: dlsys.trans.__('Open Dataset'),
      caption: dlsys.trans.__('Versions, rows and statistics'),
      icon: spreadsheetIcon,
      args: { name: 'string', version: 'number' },
      key: args => String(args['name']),
      title: args => String(args['name']),
      again: (content, args) => {
        if (typeof args['version'] === 'number') {
          (content as DatasetTab).showVersion(args['version']);
        }
      },
      load: async () => {
        const tab = await import(/* webpackChunkName: "data" */ '../widgets/datasetTab');
        return (context, args) =>
          new tab.DatasetTab(context, String(args['name']), args['version'] as number | undefined);
      }
    })
};
