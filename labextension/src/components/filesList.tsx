import { downloadIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Artifact } from '../api/types';
import { Button, EmptyState } from './basics';
import { useEnv } from './env';
import { bytes } from './format';

export function FilesList(props: {
  artifacts: readonly Artifact[];
  onDownload: (path: string) => Promise<void>;
}): React.ReactElement {
  const { trans } = useEnv();
  if (props.artifacts.length === 0) {
    return (
      <EmptyState
        title={trans.__('No files')}
        text={trans.__(
          'What the notebook writes into the folder of DLSYS_OUTPUT_DIR is kept here.'
        )}
      />
    );
  }
  return (
    <table className="jp-dlsys-Table">
      <thead>
        <tr>
          <th>{trans.__('File')}</th>
          <th className="jp-mod-number">{trans.__('Size')}</th>
          <th />
        </tr>
      </thead>
      <tbody>
        {props.artifacts.map(artifact => (
          <tr key={artifact.path}>
            <td>
              <code>{artifact.path}</code>
            </td>
            <td className="jp-mod-number">{bytes(artifact.bytes)}</td>
            <td>
              <Button
                kind="quiet"
                iconOnly
                icon={downloadIcon}
                label={trans.__('Download %1', artifact.path)}
                onClick={() => void props.onDownload(artifact.path)}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
