import { settingsIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useEnv } from './env';

/** The way from the panel to the administration. */
export function AdminLink(): React.ReactElement {
  const { trans, open } = useEnv();
  return (
    <button
      type="button"
      className="jp-dlsys-Go jp-dlsys-Sidebar-admin"
      data-row
      onClick={() => open({ kind: 'admin' })}
    >
      <settingsIcon.react tag="span" className="jp-dlsys-Button-icon" />
      {trans.__('Administration')}
    </button>
  );
}
