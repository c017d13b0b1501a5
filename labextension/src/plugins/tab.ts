import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import type { ReadonlyJSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';

import type { LabIcon } from '@jupyterlab/ui-components';

import { dlsysIcon } from '../icon';
import type { IDlsys } from '../tokens';
import type { IContext } from '../widgets/context';

type Args = Record<string, unknown>;

interface INamed extends Widget {
  rename(label: string, caption: string): void;
}

export interface ITab {
  command: string;
  namespace: string;
  label: string;
  caption: string;
  icon?: LabIcon;
  /** The operation that it is for: who may not do it finds the command disabled, with the reason. */
  needs?: string;
  /** Names and types of the arguments, all strings or numbers. */
  args: Record<string, 'string' | 'number'>;
  /** It is of no project: there is one, whichever project is worked in. */
  everywhere?: boolean;
  /** What makes two requests the same tab. */
  key: (args: Args) => string;
  title: (args: Args) => string;
  load: () => Promise<(context: IContext, args: Args) => INamed>;
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
  const projectOf = (args: Args): string => (args['project'] as string | undefined) ?? '';
  const keyOf = (widget: Widget): string => widget.id.slice(`dlsys-${tab.namespace}-`.length);
  app.commands.addCommand(tab.command, {
    label: tab.label,
    caption: () => (tab.needs && dlsys.whyNot(tab.needs)) || tab.caption,
    isEnabled: () => !tab.needs || !dlsys.whyNot(tab.needs),
    icon: tab.icon ?? dlsysIcon,
    describedBy: { args: schemaOf(tab.args) },
    execute: async args => {
      const context = await dlsys.context(projectOf(args));
      const project = tab.everywhere ? '' : context.session.client.project;
      const key = project ? `${project}/${tab.key(args)}` : tab.key(args);
      let widget = tracker.find(item => keyOf(item) === key);
      if (widget) {
        tab.again?.(widget.content, args);
      } else {
        const content = (await tab.load())(context, args);
        widget = new MainAreaWidget({ content });
        widget.id = `dlsys-${tab.namespace}-${key}`;
        content.rename(tab.title(args), tab.caption);
        widget.title.icon = tab.icon ?? dlsysIcon;
        widget.title.closable = true;
        asked.set(key, project ? { ...args, project } : (args as Args));
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
    [...Object.entries(args), ['project', 'string']].map(([name, type]) => [name, { type }])
  );
  return { type: 'object', properties };
}
