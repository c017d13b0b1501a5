import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';

import { CommandIDs } from '../commands';
import { dlsysIcon } from '../icon';
import { IDlsys } from '../tokens';

/** "Run as job" for the notebook at hand; the toolbar button and menu entry are in the schema. */
export const notebookPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:notebook',
  description: 'Runs the open notebook as a job.',
  autoStart: true,
  requires: [IDlsys],
  optional: [INotebookTracker],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, notebooks: INotebookTracker | null) => {
    app.commands.addCommand(CommandIDs.runNotebook, {
      label: dlsys.trans.__('Run as Job…'),
      caption: dlsys.trans.__('Save this notebook and run a copy of it on the system'),
      icon: dlsysIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: () => !!notebooks?.currentWidget,
      execute: () => dlsys.open({ kind: 'submit', path: notebooks?.currentWidget?.context.path })
    });
  }
};
