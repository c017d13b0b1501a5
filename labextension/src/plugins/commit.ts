import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { spreadsheetIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { IDlsys } from '../tokens';
import { addTab } from './tab';

/** Form that commits a file to a dataset. */
export const commitPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:commit',
  description: 'Form that commits a file to a dataset.',
  autoStart: true,
  requires: [IDlsys],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, restorer: ILayoutRestorer | null) =>
    addTab(app, dlsys, restorer, {
      command: CommandIDs.commit,
      namespace: 'commit',
      label: dlsys.trans.__('Commit Data…'),
      caption: dlsys.trans.__('A file becomes a version of a dataset'),
      icon: spreadsheetIcon,
      needs: 'datasets.commit',
      args: { path: 'string', dataset: 'string' },
      key: args => `${text(args['path'])}|${text(args['dataset'])}`,
      title: () => dlsys.trans.__('Commit data'),
      load: async () => {
        const { CommitTab } = await import(/* webpackChunkName: "data" */ '../widgets/commitTab');
        return (context, args) =>
          new CommitTab(
            context,
            text(args['dataset']) || undefined,
            text(args['path']) || undefined
          );
      }
    })
};

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
