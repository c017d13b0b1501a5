import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { nullTranslator } from '@jupyterlab/translation';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Target } from '../models/targets';

/** What every component may need and no component fetches. */
export interface IEnv {
  trans: TranslationBundle;
  /** Changes with the theme; what is drawn on a canvas is drawn anew. */
  theme: string;
  dark: boolean;
  rendermime: IRenderMimeRegistry | null;
  /** Whose things these are; '' where there is but one project. */
  project: string;
  /** Somebody else's project, of which only this is shared; `current` is where one works. */
  guest: boolean;
  current: string;
  open(target: Target): void;
  copy(text: string): void;
  /** Why this person may not do an operation in the project; '' for what is allowed. */
  whyNot(operation: string): string;
}

export const EnvContext = React.createContext<IEnv>({
  trans: nullTranslator.load('jupyter_dlsys'),
  theme: '',
  dark: false,
  rendermime: null,
  project: '',
  guest: false,
  current: '',
  open: () => undefined,
  copy: () => undefined,
  whyNot: () => ''
});

export const useEnv = (): IEnv => React.useContext(EnvContext);
export const useTrans = (): TranslationBundle => React.useContext(EnvContext).trans;
