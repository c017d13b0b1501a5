import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { notebookIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { IDlsys } from '../tokens';
import { addTab } from './tab';

/** Form that submits a notebook or script. */
export const submitPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:submit',
  description: 'Form that submits a notebook or script.',
  autoStart: true,
  requires: [IDlsys],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, restorer: ILayoutRestorer | null) =>
    addTab(app, dlsys, restorer, {
      command: CommandIDs.submit,
      namespace: 'submit',
      label: dlsys.trans.__('Run a Notebook as a Job…'),
      caption: dlsys.trans.__('Train on the system, not in this kernel'),
      icon: notebookIcon,
      needs: 'jobs.submit',
      args: { path: 'string', dataset: 'string' },
      key: args => `${text(args['path'])}|${text(args['dataset'])}`,
      title: () => dlsys.trans.__('Run as a job'),
      load: async () => {
        const { SubmitTab } = await import(/* webpackChunkName: "run" */ '../widgets/submitTab');
        return (context, args) =>
          new SubmitTab(context, text(args['path']), text(args['dataset']) || undefined);
      }
    })
};

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
