import { caretDownIcon, usersIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Project } from '../api/types';
import { Button } from './basics';
import { useEnv } from './env';
import { projectWord, roleWord } from './roles';

/** The current project above the lists, the way to the others, and who is in it. */
export function ProjectHead(props: { project: Project }): React.ReactElement {
  const { trans, open } = useEnv();
  const { project } = props;
  const personal = project.kind === 'personal';
  const detail = personal
    ? trans.__('nobody else sees it')
    : [project.title ? project.name : '', project.role ? roleWord(trans, project.role) : '']
        .filter(Boolean)
        .join(' · ');
  return (
    <header className="jp-dlsys-ProjectHead">
      <button
        type="button"
        data-row
        aria-haspopup="dialog"
        title={trans.__('Switch to another project')}
        onClick={() => open({ kind: 'projects' })}
      >
        <strong>{projectWord(trans, project)}</strong>
        <caretDownIcon.react tag="span" className="jp-dlsys-Caret" />
        <small>{detail}</small>
      </button>
      {personal ? null : (
        <Button
          kind="quiet"
          iconOnly
          icon={usersIcon}
          label={trans.__('Who is in this project')}
          onClick={() => open({ kind: 'members' })}
        />
      )}
    </header>
  );
}
