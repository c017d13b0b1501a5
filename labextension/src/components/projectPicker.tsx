import * as React from 'react';

import type { Project } from '../api/types';
import { Badge } from './basics';
import { useEnv } from './env';
import { Modal } from './modal';
import { projectWord, roleWord } from './roles';

/** A quick pick: type to narrow, arrow keys to move, Enter to choose. */
export function ProjectPicker(props: {
  projects: readonly Project[];
  current: string;
  onChoose: (project: string) => void;
  onClose: () => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const [text, setText] = React.useState('');
  const [at, setAt] = React.useState(0);
  const id = React.useId();
  const wanted = text.trim().toLowerCase();
  const found = props.projects.filter(project =>
    `${projectWord(trans, project)} ${project.name}`.toLowerCase().includes(wanted)
  );
  const active = found[Math.min(at, found.length - 1)];
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by && found.length) {
      setAt((Math.min(at, found.length - 1) + by + found.length) % found.length);
      event.preventDefault();
    } else if (event.key === 'Enter' && active) {
      props.onChoose(active.name);
      event.preventDefault();
    }
  };
  return (
    <Modal title={trans.__('Switch project')} onClose={props.onClose}>
      <input
        className="jp-dlsys-Input"
        role="combobox"
        autoFocus
        aria-expanded
        aria-controls={`${id}-list`}
        aria-activedescendant={active ? `${id}-${active.name}` : undefined}
        aria-label={trans.__('Project')}
        placeholder={trans.__('Name or title')}
        value={text}
        onChange={event => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <ul
        className="jp-dlsys-Picker"
        role="listbox"
        id={`${id}-list`}
        aria-label={trans.__('Projects')}
      >
        {found.map(project => (
          <li
            key={project.name}
            id={`${id}-${project.name}`}
            role="option"
            aria-selected={project === active}
            onMouseDown={event => event.preventDefault()}
            onClick={() => props.onChoose(project.name)}
          >
            <strong>{projectWord(trans, project)}</strong>
            {project.name === props.current ? <Badge tone="ok" text={trans.__('current')} /> : null}
            <small>
              {project.name}
              {project.role && project.kind === 'shared'
                ? ` · ${roleWord(trans, project.role)}`
                : ''}
            </small>
          </li>
        ))}
      </ul>
      {found.length ? null : <p className="jp-dlsys-Weak">{trans.__('No project of that name')}</p>}
    </Modal>
  );
}
