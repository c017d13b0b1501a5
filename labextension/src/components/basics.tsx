import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useEnv, useTrans } from './env';
import type { Tone } from './words';

interface IButton {
  label: string;
  icon?: LabIcon;
  kind?: 'primary' | 'plain' | 'danger' | 'quiet';
  disabled?: boolean;
  busy?: boolean;
  title?: string;
  /** Only the icon is seen; the label is for screen readers and as a tooltip. */
  iconOnly?: boolean;
  submit?: boolean;
  /** The operations that it does: who may not do one of them is told why in its place. */
  needs?: string | readonly string[];
  /** Another reason why it cannot be pressed, told in the same way. */
  refused?: string;
  onClick?: (event: React.MouseEvent) => void;
}

export function Button(props: IButton): React.ReactElement {
  const { icon: Icon, kind = 'plain', iconOnly } = props;
  const id = React.useId();
  const refused = useWhyNot(props.needs) || props.refused;
  // not `disabled`, which neither keyboard nor screen reader would find to be told the reason
  const stop = (event: React.MouseEvent): void => event.preventDefault();
  return (
    <button
      type={props.submit ? 'submit' : 'button'}
      className={`jp-dlsys-Button jp-mod-${kind}${iconOnly ? ' jp-mod-icon' : ''}`}
      disabled={props.disabled || props.busy}
      aria-busy={props.busy || undefined}
      aria-disabled={refused ? true : undefined}
      aria-describedby={refused ? id : undefined}
      aria-label={iconOnly ? props.label : undefined}
      title={refused || (props.title ?? (iconOnly ? props.label : undefined))}
      onClick={refused ? stop : props.onClick}
    >
      {props.busy ? <span className="jp-dlsys-Spinner" aria-hidden="true" /> : null}
      {Icon && !props.busy ? <Icon.react tag="span" className="jp-dlsys-Button-icon" /> : null}
      {iconOnly ? null : <span>{props.label}</span>}
      {refused ? (
        <span id={id} hidden>
          {refused}
        </span>
      ) : null}
    </button>
  );
}

/** Why this person may not do one of these operations; '' when all are allowed. */
export function useWhyNot(needs: string | readonly string[] = []): string {
  const { whyNot } = useEnv();
  return [needs].flat().map(whyNot).find(Boolean) ?? '';
}

export function Badge(props: { tone?: Tone; text: string; title?: string }): React.ReactElement {
  return (
    <span className={`jp-dlsys-Badge jp-mod-${props.tone ?? 'idle'}`} title={props.title}>
      {props.tone === 'busy' ? <span className="jp-dlsys-Pulse" aria-hidden="true" /> : null}
      {props.text}
    </span>
  );
}

export function Chip(props: {
  text: string;
  title?: string;
  /** The operation that removes it: who may not do it gets no cross. */
  needs?: string;
  onRemove?: () => void;
}): React.ReactElement {
  const trans = useTrans();
  const refused = useWhyNot(props.needs);
  return (
    <span className="jp-dlsys-Chip" title={props.title}>
      {props.text}
      {props.onRemove && !refused ? (
        <button
          type="button"
          aria-label={trans.__('Remove %1', props.text)}
          onClick={event => {
            event.stopPropagation();
            props.onRemove?.();
          }}
        >
          ×
        </button>
      ) : null}
    </span>
  );
}

export function Skeleton(props: { lines?: number; height?: number }): React.ReactElement {
  const trans = useTrans();
  return (
    <div className="jp-dlsys-Skeleton" role="status" aria-label={trans.__('Loading…')}>
      {Array.from({ length: props.lines ?? 3 }, (_, i) => (
        <span key={i} style={{ height: props.height ?? 14, width: `${92 - ((i * 23) % 45)}%` }} />
      ))}
    </div>
  );
}

export function EmptyState(props: {
  icon?: LabIcon;
  title: string;
  text: string;
  children?: React.ReactNode;
}): React.ReactElement {
  const Icon = props.icon;
  return (
    <div className="jp-dlsys-Empty">
      {Icon ? <Icon.react tag="span" className="jp-dlsys-Empty-icon" /> : null}
      <strong>{props.title}</strong>
      <p>{props.text}</p>
      {props.children ? <div className="jp-dlsys-Actions">{props.children}</div> : null}
    </div>
  );
}

export function Section(props: {
  title: string;
  aside?: React.ReactNode;
  children: React.ReactNode;
}): React.ReactElement {
  const id = React.useId();
  return (
    <section className="jp-dlsys-Section" aria-labelledby={id}>
      <header>
        <h3 id={id}>{props.title}</h3>
        <div className="jp-dlsys-Section-aside">{props.aside}</div>
      </header>
      {props.children}
    </section>
  );
}

export function Field(props: {
  label: string;
  hint?: React.ReactNode;
  error?: string;
  children: React.ReactElement;
}): React.ReactElement {
  const id = React.useId();
  return (
    <div className="jp-dlsys-Field">
      <label htmlFor={id}>{props.label}</label>
      {React.cloneElement(props.children, {
        id,
        'aria-describedby': props.hint || props.error ? `${id}-hint` : undefined,
        'aria-invalid': props.error ? true : undefined
      })}
      {props.hint || props.error ? (
        <small id={`${id}-hint`} className={props.error ? 'jp-mod-error' : undefined}>
          {props.error ?? props.hint}
        </small>
      ) : null}
    </div>
  );
}

/** Facts about a thing, as term and value. */
export function Facts(props: { items: [string, React.ReactNode][] }): React.ReactElement {
  return (
    <dl className="jp-dlsys-Facts">
      {props.items
        .filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** A link inside the application. */
export function Go(props: {
  onClick: () => void;
  children: React.ReactNode;
  title?: string;
}): React.ReactElement {
  return (
    <button type="button" className="jp-dlsys-Go" title={props.title} onClick={props.onClick}>
      {props.children}
    </button>
  );
}
