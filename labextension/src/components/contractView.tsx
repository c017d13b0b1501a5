import * as React from 'react';

import { inputsOf, labelsOf } from '../models/contract';
import { Facts } from './basics';
import { useEnv } from './env';

export function ContractView(props: { contract: Record<string, unknown> }): React.ReactElement {
  const { trans } = useEnv();
  const inputs = inputsOf(props.contract);
  const labels = labelsOf(props.contract);
  return (
    <Facts
      items={[
        ...inputs.map((input): [string, React.ReactNode] => [
          trans.__('Takes %1', input.name),
          <code key={input.name}>
            {input.type}
            {input.shape.length ? ` [${input.shape.join(' × ')}]` : ''}
          </code>
        ]),
        [trans.__('Gives'), String(props.contract['output'] ?? '') || ''],
        [trans.__('Labels'), labels.join(', ')]
      ]}
    />
  );
}
