import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';

import { CommandIDs } from '../commands';
import { IDlsys } from '../tokens';

/** Launcher cards, palette entries, and the way to MLflow's own pages. */
export const launcherPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:launcher',
  description: 'Launcher cards and palette entries.',
  autoStart: true,
  requires: [IDlsys],
  optional: [ILauncher, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    dlsys: IDlsys,
    launcher: ILauncher | null,
    palette: ICommandPalette | null
  ) => {
    const { trans } = dlsys;
    app.commands.addCommand(CommandIDs.openRun, {
      label: trans.__('Open MLflow'),
      caption: trans.__('Runs and experiments in the MLflow pages'),
      describedBy: {
        args: {
          type: 'object',
          properties: { run: { type: 'string' }, project: { type: 'string' } }
        }
      },
      execute: async args => {
        const { session } = await dlsys.context(args['project'] as string | undefined);
        if (await session.connect()) {
          window.open(session.mlflowUrl(args['run'] as string | undefined), '_blank', 'noopener');
        }
      }
    });
    const category = trans.__('DL System');
    const commands = [
      CommandIDs.openPanel,
      CommandIDs.switchProject,
      CommandIDs.openMembers,
      CommandIDs.commit,
      CommandIDs.submit,
      CommandIDs.runNotebook,
      CommandIDs.schedule,
      CommandIDs.scheduleNotebook,
      CommandIDs.openCompute,
      CommandIDs.openAdmin,
      CommandIDs.openRun
    ];
    commands.forEach(command => palette?.addItem({ command, category }));
    const cards = [
      CommandIDs.openPanel,
      CommandIDs.commit,
      CommandIDs.submit,
      CommandIDs.schedule,
      CommandIDs.openCompute
    ];
    cards.forEach((command, rank) => launcher?.add({ command, category, rank }));
  }
};
