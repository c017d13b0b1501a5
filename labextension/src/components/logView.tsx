import * as React from 'react';

import type { Terminal } from '../models/terminal';
import { Button } from './basics';
import { useEnv } from './env';
import { bytes } from './format';
import { Coloured } from './longText';

const SHOWN = 3000;
const CHARACTERS = 400_000;

/** The end of the log; follows it until the person scrolls up or says so. */
export function LogView(props: {
  log: Terminal;
  revision: number;
  live: boolean;
}): React.ReactElement {
  const { trans, copy } = useEnv();
  const [follow, setFollow] = React.useState(true);
  const ref = React.useRef<HTMLPreElement>(null);
  React.useLayoutEffect(() => {
    if (follow && ref.current) {
      ref.current.scrollTop = ref.current.scrollHeight;
    }
  }, [props.revision, follow]);
  const lines = React.useMemo(
    () => props.log.tail(CHARACTERS).split('\n').slice(-SHOWN),
    [props.log, props.revision]
  );
  const shown = lines.reduce((sum, line) => sum + line.length + 1, -1);
  const hidden = Math.max(0, props.log.length - shown - 1);
  return (
    <>
      <div className="jp-dlsys-Toolbar">
        <label>
          <input
            type="checkbox"
            checked={follow}
            onChange={event => setFollow(event.target.checked)}
          />
          {trans.__('Follow')}
        </label>
        <Button kind="quiet" label={trans.__('Copy all')} onClick={() => copy(props.log.text)} />
        {hidden > 0 ? (
          <span className="jp-dlsys-Weak">
            {trans.__('%1 of earlier text are not shown', bytes(hidden))}
          </span>
        ) : null}
      </div>
      <pre
        ref={ref}
        className="jp-dlsys-Log"
        tabIndex={0}
        role="log"
        aria-live="off"
        onWheel={event => event.deltaY < 0 && setFollow(false)}
      >
        {props.log.length > 0
          ? lines.map((line, i) => <LogLine key={props.log.lines - lines.length + i} line={line} />)
          : props.live
            ? trans.__('Nothing written yet.')
            : trans.__('Nothing was written.')}
      </pre>
    </>
  );
}

const LogLine = React.memo((props: { line: string }): React.ReactElement => {
  return (
    <div>
      <Coloured text={props.line.replace(/\r$/, '')} />
      {props.line ? null : '\u200b'}
    </div>
  );
});
