import type { IThemeManager } from '@jupyterlab/apputils';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Fix, Place } from '../api/types';
import type { IKernels } from '../models/kernelsModel';
import type { Platform } from '../models/platform';
import type { Session } from '../models/session';
import type { Target } from '../models/targets';

/** Notebooks and scripts that are open in the application, by path. */
export interface IDocuments {
  /** The text as it stands, with changes that are not saved; null when it is not open. */
  text(path: string): string | null;
  /** Be told of every change, until the returned function is called; also when it is not open yet. */
  watch(path: string, changed: () => void): () => void;
  /** Show a place in it; opens it when need be. */
  reveal(path: string, place: Place): Promise<void>;
  /** Change it as a person would: undo takes it back. */
  mend(path: string, place: Place, fix: Fix): Promise<void>;
}

/** What the application gives to our widgets of one project; they know no application. */
export interface IContext {
  platform: Platform;
  session: Session;
  trans: TranslationBundle;
  themes: IThemeManager | null;
  rendermime: IRenderMimeRegistry | null;
  contents: Contents.IManager;
  open(target: Target): void;
  copy(text: string): void;
  /** Put code into the notebook that is open; without one it is copied. */
  insert(code: string): void;
  /** Let the person choose a file whose name ends in one of these; null when they do not. */
  browse(title: string, extensions: readonly string[]): Promise<string | null>;
  /** Save a notebook in the folder that the file browser shows, under a new name, and open it. */
  openCopy(name: string, notebook: object): Promise<void>;
  documents: IDocuments;
  kernels: IKernels;
  /** Save the document at a path when it is open and has changes. */
  save(path: string): Promise<void>;
}
