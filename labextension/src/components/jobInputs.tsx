import * as React from 'react';

import type { Job } from '../api/types';
import { Facts, Go, Section } from './basics';
import { useEnv } from './env';
import { duration, shortHash } from './format';

/** What the job was made of. */
export function JobInputs(props: { job: Job }): React.ReactElement {
  const { trans, open } = useEnv();
  const { job } = props;
  const inputs = Object.entries(job.inputs ?? {});
  const parameters = Object.entries(job.parameters ?? {});
  return (
    <>
      <Section title={trans.__('Data')}>
        {inputs.length ? (
          <Facts
            items={inputs.map(([name, input]) => [
              name,
              <React.Fragment key={name}>
                <Go
                  onClick={() =>
                    open({ kind: 'dataset', name: input.dataset, version: input.version })
                  }
                >
                  {`${input.dataset}@v${input.version}`}
                </Go>{' '}
                <code title={input.snapshot}>{shortHash(input.snapshot)}</code>
              </React.Fragment>
            ])}
          />
        ) : (
          <p className="jp-dlsys-Weak">{trans.__('No dataset was bound.')}</p>
        )}
      </Section>
      <Section title={trans.__('Parameters')}>
        {parameters.length ? (
          <Facts
            items={parameters.map(([name, value]) => [
              name,
              <code key={name}>{JSON.stringify(value)}</code>
            ])}
          />
        ) : (
          <p className="jp-dlsys-Weak">{trans.__('As in the notebook.')}</p>
        )}
      </Section>
      <Section title={trans.__('Environment')}>
        <Facts
          items={[
            [
              trans.__('Source'),
              <code key="s" title={job.source_hash}>
                {shortHash(job.source_hash)}
              </code>
            ],
            [
              trans.__('Packages'),
              job.environment_hash ? (
                <code title={job.environment_hash}>{shortHash(job.environment_hash)}</code>
              ) : (
                ''
              )
            ],
            [trans.__('CPU cores'), job.resources.cpus],
            [trans.__('GPUs'), job.resources.gpus],
            [trans.__('Time limit'), job.timeout_seconds ? duration(job.timeout_seconds) : ''],
            [trans.__('Run'), job.run_id ? <code>{job.run_id}</code> : ''],
            [trans.__('Job'), <code key="id">{job.id}</code>],
            [trans.__('Ended because'), job.exit_reason ?? '']
          ]}
        />
      </Section>
    </>
  );
}
