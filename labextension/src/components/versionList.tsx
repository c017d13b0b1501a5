import * as React from 'react';

import { toProblem } from '../api/problem';
import type { Dataset, Problem, VersionSummary } from '../api/types';
import { Button, Chip } from './basics';
import { useEnv } from './env';
import { ago, count } from './format';
import { ProblemNote } from './problem';

interface IVersionList {
  dataset: Dataset;
  history: readonly VersionSummary[];
  more: boolean;
  shown: number;
  onShow: (version: number) => void;
  onOlder: () => void;
  onTag: (tag: string, version: number, move: boolean) => Promise<void>;
  onUntag: (tag: string) => Promise<void>;
}

export function VersionList(props: IVersionList): React.ReactElement {
  const { trans } = useEnv();
  return (
    <nav className="jp-dlsys-History" aria-label={trans.__('Versions')}>
      <ol>
        {props.history.map(version => (
          <VersionItem key={version.version} {...props} version={version} />
        ))}
      </ol>
      {props.more ? (
        <Button kind="quiet" label={trans.__('Older versions')} onClick={props.onOlder} />
      ) : null}
    </nav>
  );
}

function VersionItem(props: IVersionList & { version: VersionSummary }): React.ReactElement {
  const { trans } = useEnv();
  const { version } = props;
  const [tagging, setTagging] = React.useState(false);
  const current = version.version === props.shown;
  return (
    <li className={current ? 'jp-mod-current' : undefined}>
      <button
        type="button"
        className="jp-dlsys-History-item"
        aria-current={current || undefined}
        onClick={() => props.onShow(version.version)}
      >
        <span className="jp-dlsys-History-head">
          <strong>v{version.version}</strong>
          <span className="jp-mod-number">
            {version.rows_added ? <ins>+{count(version.rows_added)}</ins> : null}{' '}
            {version.rows_removed ? <del>−{count(version.rows_removed)}</del> : null}
          </span>
        </span>
        <span className="jp-dlsys-History-message">
          {version.message || trans.__('no message')}
        </span>
        <span className="jp-dlsys-Weak">
          {version.author} · {ago(version.created_at)}
        </span>
      </button>
      <div className="jp-dlsys-Chips">
        {(version.names ?? []).map(name => (
          <Chip
            key={name}
            text={name}
            needs="datasets.untag"
            onRemove={() => void props.onUntag(name)}
          />
        ))}
        {Object.entries(version.tags ?? {}).map(([key, value]) => (
          <span key={key} className="jp-dlsys-Tagline" title={trans.__('Tag of this commit')}>
            {key}={value}
          </span>
        ))}
        {current && !tagging ? (
          <Button
            kind="quiet"
            label={trans.__('Tag…')}
            title={trans.__('Give this version a name')}
            needs="datasets.tag"
            onClick={() => setTagging(true)}
          />
        ) : null}
      </div>
      {current && tagging ? <TagForm {...props} onDone={() => setTagging(false)} /> : null}
    </li>
  );
}

function TagForm(
  props: IVersionList & { version: VersionSummary; onDone: () => void }
): React.ReactElement {
  const { trans } = useEnv();
  const [tag, setTag] = React.useState('');
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const elsewhere = props.dataset.tags?.[tag];
  const moves = elsewhere !== undefined && elsewhere !== props.version.version;
  const save = async (): Promise<void> => {
    try {
      await props.onTag(tag, props.version.version, moves);
      props.onDone();
    } catch (error) {
      setProblem(toProblem(error));
    }
  };
  return (
    <form
      className="jp-dlsys-Inline"
      onSubmit={event => {
        event.preventDefault();
        void save();
      }}
    >
      <input
        className="jp-dlsys-Input"
        autoFocus
        required
        pattern="[a-z0-9]([a-z0-9._\-]{0,61}[a-z0-9])?"
        aria-label={trans.__('Tag')}
        placeholder={trans.__('e.g. gold')}
        value={tag}
        onChange={event => setTag(event.target.value)}
        onKeyDown={event => event.key === 'Escape' && props.onDone()}
      />
      <Button submit label={moves ? trans.__('Move here from v%1', elsewhere) : trans.__('Tag')} />
      {problem ? <ProblemNote problem={problem} /> : null}
    </form>
  );
}
