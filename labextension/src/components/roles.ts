import type { TranslationBundle } from '@jupyterlab/translation';

import type { Project, Role } from '../api/types';

/** From weak to strong. */
export const ROLES: readonly Role[] = [
  'viewer',
  'application-developer',
  'data-engineer',
  'data-scientist',
  'maintainer'
];

export function roleWord(trans: TranslationBundle, role: Role): string {
  const words: Record<Role, string> = {
    viewer: trans.__('Viewer'),
    'application-developer': trans.__('Application developer'),
    'data-engineer': trans.__('Data engineer'),
    'data-scientist': trans.__('Data scientist'),
    maintainer: trans.__('Maintainer')
  };
  return words[role] ?? role;
}

/** What a role may do, in a line. */
export function roleHint(trans: TranslationBundle, role: Role): string {
  const words: Record<Role, string> = {
    viewer: trans.__('Sees everything, changes nothing.'),
    'application-developer': trans.__('Sees everything and calls endpoints.'),
    'data-engineer': trans.__('Sees everything and commits data.'),
    'data-scientist': trans.__('Commits data, trains, deploys and calls endpoints.'),
    maintainer: trans.__('May do everything, and says who is in the project.')
  };
  return words[role] ?? '';
}

/** What people call a project. */
export function projectWord(trans: TranslationBundle, project: Project): string {
  return project.title || (project.kind === 'personal' ? trans.__('My own') : project.name);
}

/** "ann, bo and cy" */
export function listed(trans: TranslationBundle, names: readonly string[]): string {
  return names.length > 1
    ? trans.__('%1 and %2', names.slice(0, -1).join(', '), names[names.length - 1])
    : (names[0] ?? '');
}
