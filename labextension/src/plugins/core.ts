import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Clipboard, IThemeManager, Notification } from '@jupyterlab/apputils';
import { PromiseDelegate } from '@lumino/coreutils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import type { Platform } from '../models/platform';
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
  admin: CommandIDs.openAdmin,
  projects: CommandIDs.switchProject,
  members: CommandIDs.openMembers,
  access: CommandIDs.openAccess
};
const PROJECT = 'jupyter-dlsys:project';
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
    IDefaultFileBrowser,
    IStateDB
  ],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    settings: ISettingRegistry | null,
    themes: IThemeManager | null,
    rendermime: IRenderMimeRegistry | null,
    notebooks: INotebookTracker | null,
    browser: IDefaultFileBrowser | null,
    state: IStateDB | null
  ): IDlsys => {
    const trans = (translator ?? nullTranslator).load('jupyter_dlsys');
    const used = new PromiseDelegate<IContext>();
    let made: Promise<(project?: string) => IContext> | null = null;
    let platform: Platform | null = null;
    const open = (target: Target): void => void app.commands.execute(COMMANDS[target.kind], target);
    const make = async (): Promise<(project?: string) => IContext> => {
      const [models, doors, remembered] = await Promise.all([
        import('../models/platform'),
        import('./doors'),
        state?.fetch(PROJECT).catch(() => null)
      ]);
      const copy = (text: string): void => {
        Clipboard.copyToSystem(text);
        Notification.info(trans.__('Copied'), { autoClose: 1500 });
      };
      const all = new models.Platform(
        app.serviceManager.serverSettings,
        typeof remembered === 'string' ? remembered : '',
        project => void state?.save(PROJECT, project)
      );
      platform = all;
      const shared = {
        platform: all,
        trans,
        themes,
        rendermime,
        contents: app.serviceManager.contents,
        copy,
        ...doors.makeDoors(app, trans, notebooks, browser, copy)
      };
      const contextOf = (project?: string): IContext => {
        const session = project ? all.session(project) : all.current;
        const of = (target: Target): Target => ({ project: session.client.project, ...target });
        return { ...shared, session, open: target => open(of(target)) };
      };
      used.resolve(contextOf());
      return contextOf;
    };
    const dlsys: IDlsys = {
      trans,
      used: used.promise,
      open,
      context: async project => (await (made ??= make()))(project),
      whyNot: operation => platform?.current.permissions.whyNot(operation) ?? ''
    };
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
  const { platform, session } = await dlsys.context();
  await (when === 'always' ? session.connect() : platform.join());
}
