import * as React from 'react';

import { toProblem } from '../api/problem';
import type { CreateProject, Problem, Project } from '../api/types';
import { Badge, Button, EmptyState, Field, Section } from './basics';
import { useEnv } from './env';
import { ago, moment } from './format';
import { ProblemNote } from './problem';

const SLUG = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])$/;

export interface IProjectsView {
  projects: readonly Project[];
  /** May make new ones. */
  administrator: boolean;
  onCreate: (request: CreateProject) => Promise<void>;
  onMembers: (project: string) => void;
}

/** All projects that there are for this person, and the making of one. */
export function ProjectsView(props: IProjectsView): React.ReactElement {
  const { trans } = useEnv();
  return (
    <>
      {props.administrator ? (
        <Section title={trans.__('New project')}>
          <NewProject {...props} />
        </Section>
      ) : null}
      <Section title={trans.__('Projects')}>
        {props.projects.length ? (
          <ProjectsTable {...props} />
        ) : (
          <EmptyState
            title={trans.__('No project yet')}
            text={trans.__('People work together in a project: its members see its data and jobs.')}
          />
        )}
      </Section>
    </>
  );
}

function ProjectsTable(props: IProjectsView): React.ReactElement {
  const { trans } = useEnv();
  return (
    <div className="jp-dlsys-Scroll">
      <table className="jp-dlsys-Table jp-mod-roomy">
        <thead>
          <tr>
            <th>{trans.__('Project')}</th>
            <th>{trans.__('Kind')}</th>
            <th>{trans.__('Your role')}</th>
            <th>{trans.__('Made by')}</th>
            <th>{trans.__('Made')}</th>
            <th aria-label={trans.__('Actions')} />
          </tr>
        </thead>
        <tbody>
          {props.projects.map(project => (
            <tr key={project.name}>
              <td>
                <strong>{project.name}</strong>
                {project.title ? (
                  <small className="jp-dlsys-Weak">{` ${project.title}`}</small>
                ) : null}
              </td>
              <td>
                <Badge
                  text={project.kind === 'personal' ? trans.__('Personal') : trans.__('Shared')}
                />
              </td>
              <td>{project.role ?? '–'}</td>
              <td>{project.owner}</td>
              <td title={moment(project.created_at)}>{ago(project.created_at)}</td>
              <td className="jp-dlsys-Table-actions">
                {project.kind === 'personal' ? null : (
                  <Button
                    label={trans.__('Members…')}
                    title={trans.__('Who is in %1, and as what', project.name)}
                    onClick={() => props.onMembers(project.name)}
                  />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function NewProject(props: IProjectsView): React.ReactElement {
  const { trans } = useEnv();
  const [name, setName] = React.useState('');
  const [title, setTitle] = React.useState('');
  const [busy, setBusy] = React.useState(false);
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const wrong = useWrong(name, props.projects);
  const create = async (): Promise<void> => {
    setProblem(null);
    setBusy(true);
    try {
      await props.onCreate({ name, title: title.trim() });
      setName('');
      setTitle('');
    } catch (error) {
      setProblem(toProblem(error));
    }
    setBusy(false);
  };
  return (
    <>
      <form
        className="jp-dlsys-Grid jp-mod-wide"
        onSubmit={event => {
          event.preventDefault();
          void create();
        }}
      >
        <Field
          label={trans.__('Name')}
          hint={trans.__('Small letters, digits and hyphens; it cannot be changed later.')}
          error={wrong || undefined}
        >
          <input
            className="jp-dlsys-Input"
            required
            maxLength={63}
            autoCapitalize="none"
            spellCheck={false}
            placeholder={trans.__('e.g. vision')}
            value={name}
            onChange={event => setName(event.target.value)}
          />
        </Field>
        <Field label={trans.__('Title')} hint={trans.__('For people; may be empty.')}>
          <input
            className="jp-dlsys-Input"
            maxLength={200}
            placeholder={trans.__('e.g. Computer vision')}
            value={title}
            onChange={event => setTitle(event.target.value)}
          />
        </Field>
        <div className="jp-dlsys-Grid-button">
          <Button
            submit
            kind="primary"
            label={trans.__('Create the project')}
            busy={busy}
            disabled={!name || !!wrong}
          />
        </div>
      </form>
      {problem ? <ProblemNote problem={problem} /> : null}
    </>
  );
}

/** What is wrong with a name, while it is typed; '' when nothing is. */
function useWrong(name: string, projects: readonly Project[]): string {
  const { trans } = useEnv();
  if (!name) {
    return '';
  }
  if (/[^-a-z0-9]/.test(name)) {
    return trans.__('Only small letters, digits and hyphens.');
  }
  if (name.startsWith('-') || name.endsWith('-')) {
    return trans.__('It begins and ends with a letter or a digit.');
  }
  if (name.startsWith('u-')) {
    return trans.__('Names that begin with “u-” are those of personal projects.');
  }
  if (!SLUG.test(name)) {
    return trans.__('Two characters at least.');
  }
  return projects.some(project => project.name === name)
    ? trans.__('There is a project of that name.')
    : '';
}
