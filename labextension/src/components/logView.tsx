import * as React from 'react';

import { spans } from '../models/text';
import { Button } from './basics';
import { useEnv } from './env';

const SHOWN = 3000;

/** The end of the log; follows it until the person scrolls up or says so. */
export function LogView(props: { text: string; live: boolean }): React.ReactElement {
  const { trans, copy } = useEnv();
  const [follow, setFollow] = React.useState(true);
  const ref = React.useRef<HTMLPreElement>(null);
  React.useLayoutEffect(() => {
    if (follow && ref.current) {
      ref.current.scrollTop = ref.current.scrollHeight;
    }
  }, [props.text, follow]);
  const lines = props.text.split('\n');
  const skipped = Math.max(0, lines.length - SHOWN);
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
        <Button kind="quiet" label={trans.__('Copy all')} onClick={() => copy(props.text)} />
        {skipped ? (
          <span className="jp-dlsys-Weak">
            {trans.__('%1 earlier lines are not shown', skipped)}
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
        {props.text
          ? lines.slice(-SHOWN).map((line, i) => <LogLine key={skipped + i} line={line} />)
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
      {spans(props.line.replace(/\r$/, '')).map((span, i) => (
        <span
          key={i}
          className={
            [span.colour && `jp-dlsys-ansi-${span.colour}`, span.bold && 'jp-dlsys-ansi-bold']
              .filter(Boolean)
              .join(' ') || undefined
          }
        >
          {span.text}
        </span>
      ))}
      {props.line ? null : '\u200b'}
    </div>
  );
});
