import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Policy } from '../api/types';
import { useTrans } from './env';

type Visibility = Policy['visibility'];

export function visibilityWord(trans: TranslationBundle, visibility: Visibility): string {
  const words: Record<Visibility, string> = {
    private: trans.__('Private'),
    project: trans.__('The project'),
    groups: trans.__('Named groups'),
    organisation: trans.__('Everybody')
  };
  return words[visibility] ?? visibility;
}

export function visibilityHint(trans: TranslationBundle, visibility: Visibility): string {
  const words: Record<Visibility, string> = {
    private: trans.__('its owner and the maintainers of the project'),
    project: trans.__('all members of the project'),
    groups: trans.__('these, and members of groups of the hub, who may only read'),
    organisation: trans.__('these, and whoever can sign in, who may only read')
  };
  return words[visibility] ?? '';
}

/** What a policy means for who looks: nothing is said where nothing is hidden, when `short`. */
export function ForYou(props: { policy: Policy; short?: boolean }): React.ReactElement | null {
  const trans = useTrans();
  const { masked, filtered, may_export: mayExport } = props.policy;
  const parts = [
    masked.length
      ? trans._n(
          '%1 column is masked for you (%2).',
          '%1 columns are masked for you (%2).',
          masked.length,
          masked.join(', ')
        )
      : '',
    filtered ? trans.__('Some rows are hidden from you.') : '',
    mayExport ? '' : trans.__('You may not export it.')
  ].filter(Boolean);
  if (!parts.length && props.short) {
    return null;
  }
  return (
    <p className="jp-dlsys-ForYou">
      {parts.join(' ') || trans.__('You see all columns and rows, and may export them.')}
    </p>
  );
}
