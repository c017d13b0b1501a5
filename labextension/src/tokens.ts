import { Token } from '@lumino/coreutils';

import type { TranslationBundle } from '@jupyterlab/translation';

import type { Target } from './models/targets';
import type { IContext } from './widgets/context';

/**
 * The deep-learning system in this page.
 *
 * Require it to open things or to read the live models. `context()` loads the models and views
 * (the first call costs a request, later ones nothing) and does not connect;
 * `(await context()).session.connect()` does, and starts the platform when need be. A context is
 * about one project: the one asked for, else the current one.
 */
export interface IDlsys {
  readonly trans: TranslationBundle;
  /** Resolves when somebody first called `context()`. */
  readonly used: Promise<IContext>;
  context(project?: string): Promise<IContext>;
  /** Open a view. */
  open(target: Target): void;
  /** Why this person may not do an operation in the current project; '' for what is allowed. */
  whyNot(operation: string): string;
}

export const IDlsys = new Token<IDlsys>(
  'jupyter-dlsys:IDlsys',
  'Opens the views of the deep-learning system and gives its live models.'
);
