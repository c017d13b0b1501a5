import { fileUploadIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Dataset, Kind, Problem } from '../api/types';
import { Button, Field } from './basics';
import { useEnv } from './env';
import { bytes } from './format';
import { ProblemNote } from './problem';
import { TagsEditor } from './tagsEditor';
import { kindWord } from './words';

export interface ICommitValue {
  dataset: string;
  create: boolean;
  kind: Kind;
  description: string;
  operation: 'append' | 'replace';
  message: string;
  tags: Record<string, string>;
}

export interface IChosenFile {
  name: string;
  size: number;
  kind: Kind;
  suggestion: string;
}

const KINDS: Kind[] = ['text-classification', 'image-classification', 'tabular', 'generic'];

export function CommitForm(props: {
  datasets: readonly Dataset[];
  dataset?: string;
  file: IChosenFile | null;
  onBrowse: () => Promise<void>;
  onLocal: (file: File) => Promise<void>;
  onCommit: (value: ICommitValue, progress: (part: number) => void) => Promise<void>;
}): React.ReactElement {
  const { trans } = useEnv();
  const [value, setValue] = React.useState<ICommitValue>({
    dataset: props.dataset ?? '',
    create: false,
    kind: 'generic',
    description: '',
    operation: 'append',
    message: '',
    tags: {}
  });
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const [progress, setProgress] = React.useState<number | null>(null);
  const change = (patch: Partial<ICommitValue>): void => setValue(old => ({ ...old, ...patch }));
  React.useEffect(() => {
    if (props.file) {
      const dataset = props.dataset ?? props.file.suggestion;
      change({ dataset, kind: props.file.kind });
    }
  }, [props.file]);
  const existing = props.datasets.find(dataset => dataset.name === value.dataset);
  const send = async (): Promise<void> => {
    setProblem(null);
    setProgress(0);
    try {
      await props.onCommit({ ...value, create: !existing }, setProgress);
    } catch (error) {
      setProblem(toProblem(error));
    }
    setProgress(null);
  };
  return (
    <form
      className="jp-dlsys-Form"
      onSubmit={event => {
        event.preventDefault();
        void send();
      }}
    >
      <FileChoice {...props} />
      <DatasetChoice value={value} datasets={props.datasets} existing={existing} change={change} />
      <Field
        label={trans.__('Message')}
        hint={trans.__('What this version is about; others read it in the history.')}
      >
        <input
          className="jp-dlsys-Input"
          value={value.message}
          placeholder={trans.__('e.g. first 500 labelled texts')}
          onChange={event => change({ message: event.target.value })}
        />
      </Field>
      <TagsEditor tags={value.tags} onChange={tags => change({ tags })} />
      {problem ? <ProblemNote problem={problem} /> : null}
      <div className="jp-dlsys-Actions">
        <Button
          submit
          kind="primary"
          label={existing ? trans.__('Commit as v%1', existing.version + 1) : trans.__('Commit')}
          disabled={!props.file || !value.dataset}
          needs={existing ? 'datasets.commit' : ['datasets.commit', 'datasets.create']}
          busy={progress !== null}
        />
        {progress !== null ? (
          <progress value={progress} max={1} aria-label={trans.__('Upload')} />
        ) : null}
      </div>
    </form>
  );
}

function FileChoice(props: {
  file: IChosenFile | null;
  onBrowse: () => Promise<void>;
  onLocal: (file: File) => Promise<void>;
}): React.ReactElement {
  const { trans } = useEnv();
  const input = React.useRef<HTMLInputElement>(null);
  return (
    <div
      className="jp-dlsys-Drop"
      onDragOver={event => event.preventDefault()}
      onDrop={event => {
        event.preventDefault();
        const file = event.dataTransfer.files[0];
        if (file) {
          void props.onLocal(file);
        }
      }}
    >
      {props.file ? (
        <p>
          <strong>{props.file.name}</strong>{' '}
          <span className="jp-dlsys-Weak">{bytes(props.file.size)}</span>
        </p>
      ) : (
        <p>
          {trans.__('Choose a CSV, JSON Lines, Parquet or Arrow file, or a ZIP of image folders.')}
        </p>
      )}
      <div className="jp-dlsys-Actions">
        <Button
          label={props.file ? trans.__('Another file…') : trans.__('From the file browser…')}
          onClick={() => void props.onBrowse()}
        />
        <Button
          icon={fileUploadIcon}
          label={trans.__('From this computer…')}
          onClick={() => input.current?.click()}
        />
        <input
          ref={input}
          type="file"
          hidden
          accept=".csv,.jsonl,.ndjson,.parquet,.arrow,.zip"
          onChange={event => {
            const file = event.target.files?.[0];
            if (file) {
              void props.onLocal(file);
            }
          }}
        />
      </div>
    </div>
  );
}

function DatasetChoice(props: {
  value: ICommitValue;
  datasets: readonly Dataset[];
  existing: Dataset | undefined;
  change: (patch: Partial<ICommitValue>) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const { value, existing, change } = props;
  const list = React.useId();
  return (
    <>
      <Field
        label={trans.__('Dataset')}
        hint={
          existing
            ? trans.__('Version %1 will be made of it.', existing.version + 1)
            : trans.__('A new dataset of this name will be made.')
        }
      >
        <input
          className="jp-dlsys-Input"
          required
          pattern="[a-z0-9]([a-z0-9._\-]{0,61}[a-z0-9])?"
          title={trans.__('Lower-case letters, digits, dots, dashes; up to 63')}
          list={list}
          value={value.dataset}
          onChange={event => change({ dataset: event.target.value })}
        />
      </Field>
      <datalist id={list}>
        {props.datasets.map(dataset => (
          <option key={dataset.name} value={dataset.name} />
        ))}
      </datalist>
      {existing ? (
        <Field label={trans.__('What the file is')}>
          <select
            className="jp-dlsys-Input"
            value={value.operation}
            onChange={event => change({ operation: event.target.value as 'append' | 'replace' })}
          >
            <option value="append">{trans.__('New rows, added to the others')}</option>
            <option value="replace">{trans.__('All rows, in place of the others')}</option>
          </select>
        </Field>
      ) : (
        <Field
          label={trans.__('Kind')}
          hint={trans.__('Rows are checked against it; it decides how they are shown.')}
        >
          <select
            className="jp-dlsys-Input"
            value={value.kind}
            onChange={event => change({ kind: event.target.value as Kind })}
          >
            {KINDS.map(kind => (
              <option key={kind} value={kind}>
                {`${kindWord(trans, kind)} (${kind})`}
              </option>
            ))}
          </select>
        </Field>
      )}
    </>
  );
}
