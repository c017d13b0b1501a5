import * as React from 'react';

import { spans } from '../models/text';

const LINES = 400;
const CHARACTERS = 40_000;

/** Megabytes of text: cut into blocks that the browser lays out only where they are seen. */
export function LongText(props: { text: string; error?: boolean }): React.ReactElement {
  const blocks = React.useMemo(() => cut(props.text), [props.text]);
  return (
    <div className={`jp-dlsys-LongText${props.error ? ' jp-mod-stderr' : ''}`} tabIndex={0}>
      {blocks.map((block, i) => (
        <Block key={i} text={block} />
      ))}
    </div>
  );
}

const Block = React.memo((props: { text: string }): React.ReactElement => {
  return (
    <pre>
      <Coloured text={props.text} />
    </pre>
  );
});

/** Text with the colours that its escape sequences ask for. */
export function Coloured(props: { text: string }): React.ReactElement {
  if (!props.text.includes('\u001b')) {
    return <>{props.text}</>;
  }
  return (
    <>
      {spans(props.text).map((span, i) => (
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
    </>
  );
}

function cut(text: string): string[] {
  const blocks: string[] = [];
  let lines: string[] = [];
  let size = 0;
  const flush = (): void => {
    if (lines.length > 0) {
      blocks.push(lines.join('\n'));
      lines = [];
      size = 0;
    }
  };
  for (const line of text.split('\n')) {
    for (let at = 0; at === 0 || at < line.length; at += CHARACTERS) {
      lines.push(line.slice(at, at + CHARACTERS));
      size += Math.min(line.length, CHARACTERS);
      if (lines.length >= LINES || size >= CHARACTERS) {
        flush();
      }
    }
  }
  flush();
  return blocks;
}
