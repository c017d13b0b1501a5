import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { FileDialog } from '@jupyterlab/filebrowser';
import type { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { NotebookActions } from '@jupyterlab/notebook';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IContext } from '../widgets/context';

/** What our widgets may do to the rest of the application. */
export function makeDoors(
  app: JupyterFrontEnd,
  trans: TranslationBundle,
  notebooks: INotebookTracker | null,
  browser: IDefaultFileBrowser | null,
  copy: (text: string) => void
): Pick<IContext, 'insert' | 'browse' | 'save'> {
  return {
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
