import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import type { ReadonlyJSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';

import type { LabIcon } from '@jupyterlab/ui-components';

import { dlsysIcon } from '../icon';
import type { IDlsys } from '../tokens';
import type { IContext } from '../widgets/context';

type Args = Record<string, unknown>;

export interface ITab {
  command: string;
  namespace: string;
  label: string;
  caption: string;
  icon?: LabIcon;
  /** Names and types of the arguments, all strings or numbers. */
  args: Record<string, 'string' | 'number'>;
  /** What makes two requests the same tab. */
  key: (args: Args) => string;
  title: (args: Args) => string;
  load: () => Promise<(context: IContext, args: Args) => Widget>;
  /** Called with the content when the tab is asked for again. */
  again?: (content: Widget, args: Args) => void;
}

/** A command that opens a main-area tab, kept over reloads. */
export function addTab(
  app: JupyterFrontEnd,
  dlsys: IDlsys,
  restorer: ILayoutRestorer | null,
  tab: ITab
): void {
  const tracker = new WidgetTracker<MainAreaWidget>({ namespace: `dlsys-${tab.namespace}` });
  const asked = new Map<string, Args>();
  const keyOf = (widget: Widget): string => widget.id.slice(`dlsys-${tab.namespace}-`.length);
  app.commands.addCommand(tab.command, {
    label: tab.label,
    caption: tab.caption,
    icon: tab.icon ?? dlsysIcon,
    describedBy: { args: schemaOf(tab.args) },
    execute: async args => {
      const key = tab.key(args);
      let widget = tracker.find(item => keyOf(item) === key);
      if (widget) {
        tab.again?.(widget.content, args);
      } else {
        const [context, make] = await Promise.all([dlsys.context(), tab.load()]);
        widget = new MainAreaWidget({ content: make(context, args) });
        widget.id = `dlsys-${tab.namespace}-${key}`;
        widget.title.label = tab.title(args);
        widget.title.caption = tab.caption;
        widget.title.icon = tab.icon ?? dlsysIcon;
        widget.title.closable = true;
        asked.set(key, args as Args);
        app.shell.add(widget, 'main', { type: 'DL System' });
        await tracker.add(widget);
      }
      app.shell.activateById(widget.id);
    }
  });
  void restorer?.restore(tracker, {
    command: tab.command,
    name: keyOf,
    args: widget => (asked.get(keyOf(widget)) ?? {}) as ReadonlyPartialJSONObject
  });
}

function schemaOf(args: ITab['args']): ReadonlyJSONObject {
  const properties = Object.fromEntries(
    Object.entries(args).map(([name, type]) => [name, { type }])
  );
  return { type: 'object', properties };
}
