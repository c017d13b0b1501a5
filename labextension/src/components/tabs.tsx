import * as React from 'react';

export interface ITab {
  id: string;
  label: string;
  count?: number | null;
  render: () => React.ReactNode;
}

/** Tabs by the ARIA pattern: arrow keys move, one tab stop. */
export function Tabs(props: { tabs: ITab[]; label: string; initial?: string }): React.ReactElement {
  const [chosen, setChosen] = React.useState(props.initial ?? props.tabs[0]?.id);
  const id = React.useId();
  const current = props.tabs.find(tab => tab.id === chosen) ?? props.tabs[0];
  const onKeyDown = (event: React.KeyboardEvent<HTMLDivElement>): void => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by && current) {
      const at = props.tabs.indexOf(current) + by + props.tabs.length;
      const next = props.tabs[at % props.tabs.length];
      setChosen(next?.id);
      event.currentTarget.querySelector<HTMLElement>(`[data-tab="${next?.id}"]`)?.focus();
      event.preventDefault();
    }
  };
  return (
    <div className="jp-dlsys-Tabs">
      <div role="tablist" aria-label={props.label} onKeyDown={onKeyDown}>
        {props.tabs.map(tab => (
          <button
            key={tab.id}
            type="button"
            role="tab"
            data-tab={tab.id}
            id={`${id}-${tab.id}`}
            aria-selected={tab === current}
            aria-controls={`${id}-panel`}
            tabIndex={tab === current ? 0 : -1}
            onClick={() => setChosen(tab.id)}
          >
            {tab.label}
            {tab.count ? <span className="jp-dlsys-Count">{tab.count}</span> : null}
          </button>
        ))}
      </div>
      <div
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={`${id}-${current?.id}`}
        tabIndex={0}
        className="jp-dlsys-Tabs-panel"
      >
        {current?.render()}
      </div>
    </div>
  );
}
