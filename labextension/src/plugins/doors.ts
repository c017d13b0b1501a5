import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { FileDialog } from '@jupyterlab/filebrowser';
import type { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { NotebookActions } from '@jupyterlab/notebook';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IContext } from '../widgets/context';
import { makeDocuments } from './documents';
import { makeKernels } from './kernels';

/** What our widgets may do to the rest of the application. */
export function makeDoors(
  app: JupyterFrontEnd,
  trans: TranslationBundle,
  notebooks: INotebookTracker | null,
  browser: IDefaultFileBrowser | null,
  copy: (text: string) => void
): Pick<IContext, 'insert' | 'browse' | 'save' | 'openCopy' | 'documents' | 'kernels'> {
  return {
    documents: makeDocuments(browser?.model.manager ?? null, trans),
    kernels: makeKernels(app.serviceManager),
    insert: code => {
      const panel = notebooks?.currentWidget;
      if (!panel) {
        copy(code);
        return;
      }
      NotebookActions.insertBelow(panel.content);
      panel.content.activeCell?.model.sharedModel.setSource(code);
      app.shell.activateById(panel.id);
      Notification.success(trans.__('Inserted into %1', panel.title.label), { autoClose: 2500 });
    },
    browse: async (title, extensions) => {
      const manager = browser?.model.manager;
      if (!manager) {
        return null;
      }
      const fits = (name: string): boolean =>
        extensions.some(end => name.toLowerCase().endsWith(end));
      const result = await FileDialog.getOpenFiles({
        manager,
        title,
        defaultPath: browser.model.path,
        filter: model => (model.type === 'directory' || fits(model.name) ? { score: 1 } : null)
      });
      return result.value?.[0]?.path ?? null;
    },
    openCopy: async (name, notebook) => {
      try {
        const path = await saveCopy(app, browser?.model.path ?? '', name, notebook);
        await app.commands.execute('docmanager:open', { path });
        Notification.success(trans.__('Saved as %1', path), { autoClose: 4000 });
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        Notification.error(trans.__('The notebook could not be saved: %1', why));
      }
    },
    save: async path => {
      const manager = browser?.model.manager;
      const open = manager?.findWidget(path, null);
      const context = open ? manager?.contextForWidget(open) : undefined;
      if (context?.model.dirty) {
        await context.save();
      }
    }
  };
}

/** Save a notebook under a name that no other file of the folder has. */
async function saveCopy(
  app: JupyterFrontEnd,
  folder: string,
  name: string,
  notebook: object
): Promise<string> {
  const { contents } = app.serviceManager;
  const listed = (await contents.get(folder)).content as { name: string }[];
  const taken = new Set(listed.map(file => file.name));
  const stem = `${name.replace(/[/\\:*?"<>|]/g, '-').replace(/^\.+/, '')} (executed)`;
  let free = `${stem}.ipynb`;
  for (let i = 2; taken.has(free); i++) {
    free = `${stem} ${i}.ipynb`;
  }
  const path = folder ? `${folder}/${free}` : free;
  await contents.save(path, { type: 'notebook', format: 'json', content: notebook });
  return path;
}
