import { Notification } from '@jupyterlab/apputils';
import type { IDocumentWidget } from '@jupyterlab/docregistry';
import type { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Fix, Place } from '../api/types';
import type { IDocuments } from '../widgets/context';

type Manager = IDefaultFileBrowser['model']['manager'];

/** What a cell's and a script's editor have. */
interface IEditor {
  setCursorPosition(position: { line: number; column: number }): void;
  focus(): void;
}

/** Text that can be changed, as a cell and a script both are. */
interface IText {
  getSource(): string;
  updateSource(start: number, end: number, value: string): void;
}

/** The documents of the application, read and changed through their models. */
export function makeDocuments(manager: Manager | null, trans: TranslationBundle): IDocuments {
  const find = (path: string): IDocumentWidget | undefined => manager?.findWidget(path, null);
  const open = async (path: string): Promise<IDocumentWidget | null> => {
    const widget = manager?.openOrReveal(path) ?? null;
    await widget?.context.ready;
    await widget?.revealed;
    return widget;
  };
  return {
    text: path => {
      const context = find(path)?.context;
      return context?.isReady ? context.model.toString() : null;
    },
    watch: (path, changed) => watch(manager, find, path, changed),
    reveal: async (path, place) => {
      const widget = await open(path);
      const editor = widget && (await editorAt(widget, place));
      editor?.setCursorPosition({ line: place.line ?? 0, column: 0 });
      editor?.focus();
    },
    mend: async (path, place, fix) => {
      const widget = find(path) ?? (await open(path));
      if (!widget) {
        return;
      }
      await widget.context.ready;
      change(widget, place, fix);
      Notification.success(trans.__('%1: done in %2', fix.label, widget.title.label), {
        autoClose: 8000,
        actions: [{ label: trans.__('Undo'), callback: () => undo(widget) }]
      });
    }
  };
}

function watch(
  manager: Manager | null,
  find: (path: string) => IDocumentWidget | undefined,
  path: string,
  changed: () => void
): () => void {
  let followed: IDocumentWidget['context']['model'] | null = null;
  const follow = (): void => {
    const model = find(path)?.context.model ?? null;
    if (model !== followed) {
      followed?.contentChanged.disconnect(changed);
      model?.contentChanged.connect(changed);
      followed = model;
    }
  };
  const onFile = (_sender: unknown, file: { newValue: { path?: string } | null }): void => {
    if (file.newValue?.path === path) {
      changed();
    }
  };
  follow();
  // a document opened later is found when something is opened or saved
  manager?.activateRequested.connect(follow);
  manager?.services.contents.fileChanged.connect(onFile);
  return () => {
    followed?.contentChanged.disconnect(changed);
    manager?.activateRequested.disconnect(follow);
    manager?.services.contents.fileChanged.disconnect(onFile);
  };
}

async function editorAt(
  widget: IDocumentWidget,
  place: Place
): Promise<IEditor | null | undefined> {
  if (!(widget instanceof NotebookPanel)) {
    return (widget.content as { editor?: IEditor }).editor;
  }
  const notebook = widget.content;
  notebook.activeCellIndex = place.cell;
  await notebook.scrollToItem(place.cell, 'smart');
  const cell = notebook.activeCell;
  await cell?.ready;
  notebook.mode = 'edit';
  return cell?.editor;
}

function change(widget: IDocumentWidget, place: Place, fix: Fix): void {
  if (!(widget instanceof NotebookPanel)) {
    replaceLine(widget.context.model.sharedModel as unknown as IText, place.line, fix.value);
    return;
  }
  const shared = widget.content.model?.sharedModel;
  const cell = shared?.cells[place.cell];
  if (!shared || !cell) {
    return;
  }
  if (fix.action === 'replace-line') {
    replaceLine(cell, place.line, fix.value);
  } else if (fix.action === 'tag-parameters') {
    const tags = (cell.getMetadata('tags') as string[] | undefined) ?? [];
    cell.setMetadata('tags', [...tags.filter(tag => tag !== 'parameters'), 'parameters']);
  } else if (fix.action === 'move-cell') {
    widget.content.moveCell(place.cell, Number(fix.value));
  }
}

function replaceLine(text: IText, line: number | null | undefined, value: string): void {
  const lines = text.getSource().split('\n');
  const at = line ?? 0;
  const start = lines.slice(0, at).reduce((sum, item) => sum + item.length + 1, 0);
  text.updateSource(start, start + (lines[at] ?? '').length, value);
}

function undo(widget: IDocumentWidget): void {
  (widget.context.model.sharedModel as unknown as { undo(): void }).undo();
}
