import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { historyIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { dlsysIcon } from '../icon';
import { IDlsys } from '../tokens';

/** "Run as job" and "Schedule…" for the notebook at hand; buttons and menus are in the schema. */
export const notebookPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:notebook',
  description: 'Runs the open notebook as a job, now or on a schedule.',
  autoStart: true,
  requires: [IDlsys],
  optional: [INotebookTracker],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, notebooks: INotebookTracker | null) => {
    const { trans } = dlsys;
    const may = (needs: string): boolean => !!notebooks?.currentWidget && !dlsys.whyNot(needs);
    app.commands.addCommand(CommandIDs.scheduleNotebook, {
      label: trans.__('Schedule…'),
      caption: () =>
        dlsys.whyNot('schedules.create') ||
        trans.__('Run this notebook again and again, at times you choose'),
      icon: historyIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: () => may('schedules.create'),
      execute: () => dlsys.open({ kind: 'plan', path: notebooks?.currentWidget?.context.path })
    });
    app.commands.addCommand(CommandIDs.runNotebook, {
      label: trans.__('Run as Job…'),
      caption: () =>
        dlsys.whyNot('jobs.submit') ||
        trans.__('Save this notebook and run a copy of it on the system'),
      icon: dlsysIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: () => may('jobs.submit'),
      execute: () => dlsys.open({ kind: 'submit', path: notebooks?.currentWidget?.context.path })
    });
  }
};
