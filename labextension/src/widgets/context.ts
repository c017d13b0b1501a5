import type { IThemeManager } from '@jupyterlab/apputils';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Session } from '../models/session';
import type { Target } from '../models/targets';

/** What the application gives to our widgets; they know no application. */
export interface IContext {
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
  /** Save the document at a path when it is open and has changes. */
  save(path: string): Promise<void>;
}
