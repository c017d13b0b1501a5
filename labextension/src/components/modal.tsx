import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Button } from './basics';
import { useTrans } from './env';

/** A dialog of the browser's own: it holds the focus, Escape closes it, the focus goes back. */
export function Modal(props: {
  title: string;
  onClose: () => void;
  children: React.ReactNode;
}): React.ReactElement {
  const trans = useTrans();
  const ref = React.useRef<HTMLDialogElement>(null);
  const id = React.useId();
  React.useEffect(() => {
    const node = ref.current;
    node?.showModal();
    node?.querySelector('input')?.focus();
    return () => node?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      className="jp-dlsys-Modal"
      aria-labelledby={id}
      onClose={props.onClose}
      onMouseDown={event => event.target === ref.current && props.onClose()}
    >
      <div>
        <header>
          <h2 id={id}>{props.title}</h2>
          <Button
            kind="quiet"
            iconOnly
            icon={closeIcon}
            label={trans.__('Close')}
            onClick={props.onClose}
          />
        </header>
        {props.children}
      </div>
    </dialog>
  );
}
