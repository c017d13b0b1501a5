import * as React from 'react';

import { Button } from './basics';

/** A question in place; the focus is on the answer that changes nothing. */
export function Confirm(props: {
  title: string;
  text: string;
  yes: string;
  no: string;
  onYes: () => void;
  onNo: () => void;
}): React.ReactElement {
  const ref = React.useRef<HTMLSpanElement>(null);
  React.useEffect(() => {
    ref.current?.querySelector<HTMLElement>('button:last-child')?.focus();
  }, []);
  return (
    <span
      ref={ref}
      className="jp-dlsys-Confirm"
      role="alertdialog"
      aria-label={props.title}
      onKeyDown={event => event.key === 'Escape' && props.onNo()}
    >
      {props.text}
      <Button kind="danger" label={props.yes} onClick={props.onYes} />
      <Button kind="quiet" label={props.no} onClick={props.onNo} />
    </span>
  );
}
