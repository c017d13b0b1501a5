import * as React from 'react';

import type { Project } from '../api/types';
import { Button } from './basics';
import { useTrans } from './env';

/** Above a tab of another project than the current one. */
export function Whose(props: {
  name: string;
  project: Project | null;
  onSwitch: () => void;
}): React.ReactElement {
  const trans = useTrans();
  const title = props.project?.title;
  return (
    <div className="jp-dlsys-Whose" role="note">
      <span>
        {trans.__('This is of the project')} <strong>{title || props.name}</strong>
        {title ? ` (${props.name})` : null}
      </span>
      <Button kind="quiet" label={trans.__('Switch to it')} onClick={props.onSwitch} />
    </div>
  );
}
