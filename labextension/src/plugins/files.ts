import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { historyIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { dlsysIcon } from '../icon';
import { IDlsys } from '../tokens';

const SOURCE = /\.(ipynb|py)$/i;
const DATA = /\.(csv|jsonl|ndjson|parquet|arrow|feather|zip)$/i;

/** File browser: "Run as job…" and "Schedule…" on notebooks and scripts, "Commit as dataset…" on data. */
export const filesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:files',
  description: 'Entries of the file browser’s context menu.',
  autoStart: true,
  requires: [IDlsys],
  optional: [IFileBrowserFactory],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, browsers: IFileBrowserFactory | null) => {
    const { trans } = dlsys;
    const chosen = (fits: RegExp): string | null => {
      const [first, second] = [...(browsers?.tracker.currentWidget?.selectedItems() ?? [])];
      return first && !second && first.type !== 'directory' && fits.test(first.name)
        ? first.path
        : null;
    };
    const describedBy = { args: { type: 'object', properties: {} } };
    app.commands.addCommand(CommandIDs.submitFile, {
      label: trans.__('Run as Job…'),
      caption: () => dlsys.whyNot('jobs.submit') || trans.__('Train with this file on the system'),
      isEnabled: () => !dlsys.whyNot('jobs.submit'),
      icon: dlsysIcon,
      describedBy,
      isVisible: () => chosen(SOURCE) !== null,
      execute: () => dlsys.open({ kind: 'submit', path: chosen(SOURCE) ?? undefined })
    });
    app.commands.addCommand(CommandIDs.scheduleFile, {
      label: trans.__('Schedule…'),
      caption: () =>
        dlsys.whyNot('schedules.create') ||
        trans.__('Run this file again and again, at times you choose'),
      isEnabled: () => !dlsys.whyNot('schedules.create'),
      icon: historyIcon,
      describedBy,
      isVisible: () => chosen(SOURCE) !== null,
      execute: () => dlsys.open({ kind: 'plan', path: chosen(SOURCE) ?? undefined })
    });
    app.commands.addCommand(CommandIDs.commitFile, {
      label: trans.__('Commit as Dataset…'),
      caption: () =>
        dlsys.whyNot('datasets.commit') || trans.__('Make a version of a dataset of this file'),
      isEnabled: () => !dlsys.whyNot('datasets.commit'),
      icon: dlsysIcon,
      describedBy,
      isVisible: () => chosen(DATA) !== null,
      execute: () => dlsys.open({ kind: 'commit', path: chosen(DATA) ?? undefined })
    });
  }
};
