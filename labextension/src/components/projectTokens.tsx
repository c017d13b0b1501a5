import * as React from 'react';

import type { Project } from '../api/types';
import { Field, Skeleton } from './basics';
import { useEnv } from './env';
import { TokensView } from './tokensView';
import type { ITokensView } from './tokensView';

/** Tokens of one of the projects. */
export function ProjectTokens(
  props: ITokensView & {
    project: string;
    projects: readonly Project[];
    busy: boolean;
    onProject: (name: string) => void;
  }
): React.ReactElement {
  const { trans } = useEnv();
  const manages = props.projects
    .find(({ name }) => name === props.project)
    ?.rights?.includes('manage');
  return (
    <>
      <div className="jp-dlsys-TokenProject">
        <Field
          label={trans.__('Project')}
          hint={
            manages
              ? trans.__('Tokens of everybody here: you are a maintainer.')
              : trans.__('Your own tokens.')
          }
        >
          <select
            className="jp-dlsys-Input"
            value={props.project}
            onChange={event => props.onProject(event.target.value)}
          >
            {props.projects.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </Field>
      </div>
      {props.busy ? (
        <Skeleton lines={4} height={20} />
      ) : (
        <TokensView key={props.project} {...props} />
      )}
    </>
  );
}
