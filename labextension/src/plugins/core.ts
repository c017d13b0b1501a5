import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Clipboard, IThemeManager, Notification } from '@jupyterlab/apputils';
import { PromiseDelegate } from '@lumino/coreutils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import type { Target } from '../models/targets';
import { IDlsys } from '../tokens';
import type { IContext } from '../widgets/context';

const COMMANDS: Record<Target['kind'], string> = {
  dataset: CommandIDs.openDataset,
  job: CommandIDs.openJob,
  model: CommandIDs.openModel,
  endpoint: CommandIDs.openEndpoint,
  lineage: CommandIDs.openLineage,
  run: CommandIDs.openRun,
  submit: CommandIDs.submit,
  commit: CommandIDs.commit,
  schedule: CommandIDs.openSchedule,
  plan: CommandIDs.schedule,
  compute: CommandIDs.openCompute,
  admin: CommandIDs.openAdmin
};
const JOIN_DELAY_MS = 1500;

/** Provides IDlsys, and joins a platform that already runs, so that its jobs are seen. */
export const corePlugin: JupyterFrontEndPlugin<IDlsys> = {
  id: 'jupyter-dlsys:plugin',
  description: 'Data, jobs, models and endpoints of the deep-learning system.',
  autoStart: true,
  provides: IDlsys,
  optional: [
    ITranslator,
    ISettingRegistry,
    IThemeManager,
    IRenderMimeRegistry,
    INotebookTracker,
    IDefaultFileBrowser
  ],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    settings: ISettingRegistry | null,
    themes: IThemeManager | null,
    rendermime: IRenderMimeRegistry | null,
    notebooks: INotebookTracker | null,
    browser: IDefaultFileBrowser | null
  ): IDlsys => {
    const trans = (translator ?? nullTranslator).load('jupyter_dlsys');
    const used = new PromiseDelegate<IContext>();
    let made: Promise<IContext> | null = null;
    const open = (target: Target): void => void app.commands.execute(COMMANDS[target.kind], target);
    const make = async (): Promise<IContext> => {
      const [{ Session }, doors] = await Promise.all([
        import('../models/session'),
        import('./doors')
      ]);
      const copy = (text: string): void => {
        Clipboard.copyToSystem(text);
        Notification.info(trans.__('Copied'), { autoClose: 1500 });
      };
      const context: IContext = {
        session: new Session(app.serviceManager.serverSettings),
        trans,
        themes,
        rendermime,
        contents: app.serviceManager.contents,
        open,
        copy,
        ...doors.makeDoors(app, trans, notebooks, browser, copy)
      };
      used.resolve(context);
      return context;
    };
    const dlsys: IDlsys = { trans, used: used.promise, open, context: () => (made ??= make()) };
    void app.restored.then(() => joinLater(dlsys, settings));
    return dlsys;
  }
};

async function joinLater(dlsys: IDlsys, registry: ISettingRegistry | null): Promise<void> {
  const settings = await registry?.load(corePlugin.id).catch(() => null);
  const when = (settings?.composite['connect'] as string | undefined) ?? 'when-running';
  if (when === 'on-demand') {
    return;
  }
  // after the start has settled: looking for jobs may never make Lab slower to appear
  await new Promise(resolve => setTimeout(resolve, JOIN_DELAY_MS));
  const { session } = await dlsys.context();
  await (when === 'always' ? session.connect() : session.join());
}
