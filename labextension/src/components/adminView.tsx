import * as React from 'react';

import type { Problem } from '../api/types';
import { useEnv } from './env';
import { Loaded } from './problem';
import { Tabs } from './tabs';

/** One part of the administration: what it is called and how it is drawn. */
export interface IPart {
  id: string;
  label: string;
  ready: boolean;
  problem: Problem | null;
  /** It came on show. */
  onShow: () => void;
  onRetry: () => void;
  render: () => React.ReactNode;
}

/** The parts that this person may see, one at a time. */
export function AdminView(props: { parts: readonly IPart[]; initial: string }): React.ReactElement {
  const { trans } = useEnv();
  const [first] = props.parts;
  const known = props.parts.some(part => part.id === props.initial);
  return (
    <div className="jp-dlsys-Page jp-dlsys-Admin">
      <header className="jp-dlsys-Header">
        <div className="jp-dlsys-Header-title">
          <h2>{trans.__('Administration')}</h2>
        </div>
      </header>
      <Tabs
        label={trans.__('Parts of the administration')}
        initial={known ? props.initial : (first?.id ?? '')}
        tabs={props.parts.map(part => ({
          id: part.id,
          label: part.label,
          render: () => <Part key={part.id} part={part} />
        }))}
      />
    </div>
  );
}

function Part(props: { part: IPart }): React.ReactElement {
  const { part } = props;
  // told once each time it comes on show, not at each drawing
  React.useEffect(() => part.onShow(), []);
  return (
    <Loaded ready={part.ready} problem={part.problem} onRetry={part.onRetry}>
      {part.render}
    </Loaded>
  );
}
