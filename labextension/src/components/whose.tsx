import * as React from 'react';

import type { Project } from '../api/types';
import { Button } from './basics';
import { useTrans } from './env';

/** Above a tab of another project than the current one. */
export function Whose(props: {
  name: string;
  project: Project | null;
  /** null for a project that this person is not in. */
  onSwitch: (() => void) | null;
}): React.ReactElement {
  const trans = useTrans();
  const title = props.project?.title;
  return (
    <div className="jp-dlsys-Whose" role="note">
      <span>
        {props.onSwitch
          ? trans.__('This is of the project')
          : trans.__('This is shared with you from the project')}{' '}
        <strong>{title || props.name}</strong>
        {title ? ` (${props.name})` : null}
      </span>
      {props.onSwitch ? <Button label={trans.__('Switch to it')} onClick={props.onSwitch} /> : null}
    </div>
  );
}
