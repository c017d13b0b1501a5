import { copyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Button } from './basics';
import { useEnv } from './env';

/** The same thing said to each door. */
export interface ICopies {
  magic: string;
  cli: string;
  python: string;
}

/** The same of a project that may not be the one that a kernel or a terminal works in. */
export function inProject(copies: ICopies, project: string): ICopies {
  return project
    ? {
        magic: copies.magic.replace(/^%dlsys /, `%dlsys -P ${project} `),
        cli: copies.cli.replace(/^dlsys /, `dlsys -P ${project} `),
        python: copies.python.replace(/\n\n/, `\n\ndlsys.project("${project}")\n`)
      }
    : copies;
}

/** "Copy as %dlsys / CLI / Python" */
export function CopyMenu(props: { copies: ICopies }): React.ReactElement {
  const { trans, copy, project } = useEnv();
  const [open, setOpen] = React.useState(false);
  const ref = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    const close = (event: Event): void => {
      if (!ref.current?.contains(event.target as Node)) {
        setOpen(false);
      }
    };
    document.addEventListener('mousedown', close);
    return () => document.removeEventListener('mousedown', close);
  }, []);
  const copies = inProject(props.copies, project);
  const items: [string, string][] = [
    [trans.__('As %dlsys magic'), copies.magic],
    [trans.__('As shell command'), copies.cli],
    [trans.__('As Python'), copies.python]
  ];
  return (
    <div
      className="jp-dlsys-Menu"
      ref={ref}
      onKeyDown={event => event.key === 'Escape' && setOpen(false)}
    >
      <Button label={trans.__('Copy as…')} icon={copyIcon} onClick={() => setOpen(!open)} />
      {open ? (
        <div role="menu" aria-label={trans.__('Copy as…')}>
          {items.map(([label, text]) => (
            <button
              key={label}
              type="button"
              role="menuitem"
              onClick={() => {
                copy(text);
                setOpen(false);
              }}
            >
              <span>{label}</span>
              <code>{text.split('\n')[0]}</code>
            </button>
          ))}
        </div>
      ) : null}
    </div>
  );
}
