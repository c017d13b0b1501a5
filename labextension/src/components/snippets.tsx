import { copyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Deployment } from '../api/types';
import { inputsOf, isText, isWhole, reshape } from '../models/contract';
import type { IInput } from '../models/contract';
import { Button } from './basics';
import { useEnv } from './env';
import { Tabs } from './tabs';

/** Code that an application developer pastes and runs. */
export function Snippets(props: { endpoint: Deployment }): React.ReactElement {
  const { trans } = useEnv();
  const { endpoint } = props;
  const body = JSON.stringify({ inputs: inputsOf(endpoint.contract).map(tensor) });
  const url = `${endpoint.url.replace(/\/$/, '')}/infer`;
  const curl = `curl -s ${url} \\\n  -H "Authorization: Bearer $DLSYS_TOKEN" \\\n  -H "Content-Type: application/json" \\\n  -d '${body.replace(/'/g, "'\\''")}'`;
  const python = [
    'import os, requests',
    '',
    'answer = requests.post(',
    `    "${url}",`,
    '    headers={"Authorization": f"Bearer {os.environ[\'DLSYS_TOKEN\']}"},',
    `    json=${body.replace(/\btrue\b/g, 'True').replace(/\bfalse\b/g, 'False')},`,
    '    timeout=10,',
    ')',
    'answer.raise_for_status()',
    'print(answer.json()["outputs"])'
  ].join('\n');
  return (
    <Tabs
      label={trans.__('Language')}
      tabs={[
        { id: 'curl', label: 'curl', render: () => <Code text={curl} /> },
        { id: 'python', label: 'Python', render: () => <Code text={python} /> }
      ]}
    />
  );
}

function tensor(input: IInput): Record<string, unknown> {
  const size = input.shape.reduce((a, b) => a * b, 1);
  if (isText(input)) {
    return { name: input.name, shape: [1], datatype: 'BYTES', data: ['…'] };
  }
  const data = input.shape.length ? reshape(Array<number>(size).fill(0), input.shape) : 0;
  const datatype = isWhole(input) ? 'INT64' : 'FP32';
  return { name: input.name, shape: [1, ...input.shape], datatype, data: [data] };
}

export function Code(props: { text: string }): React.ReactElement {
  const { trans, copy } = useEnv();
  return (
    <div className="jp-dlsys-Code">
      <pre tabIndex={0}>{props.text}</pre>
      <Button
        kind="quiet"
        iconOnly
        icon={copyIcon}
        label={trans.__('Copy')}
        onClick={() => copy(props.text)}
      />
    </div>
  );
}
