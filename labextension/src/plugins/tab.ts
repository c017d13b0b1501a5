import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import type { ReadonlyJSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';

import type { LabIcon } from '@jupyterlab/ui-components';

import { dlsysIcon } from '../icon';
import type { Session } from '../models/session';
import type { IDlsys } from '../tokens';
import type { IContext } from '../widgets/context';

type Args = Record<string, unknown>;
type JsonArgs = ReadonlyPartialJSONObject;

/** The layout knows a restored tab by the name it had, which was given when less was known. */
const NAME = 'restored as';

interface IOpened {
  args: Args;
  session: Session;
}

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
  const opened = new WeakMap<Widget, IOpened>();
  const nameOf = (widget: Widget): string => widget.id.slice(`dlsys-${tab.namespace}-`.length);
  const projectOf = (session: Session): string => (tab.everywhere ? '' : session.client.project);
  const isOf = (widget: Widget, session: Session, args: Args): boolean => {
    const found = opened.get(widget);
    return (
      !!found &&
      tab.key(found.args) === tab.key(args) &&
      (found.session === session || projectOf(found.session) === projectOf(session))
    );
  };
  app.commands.addCommand(tab.command, {
    label: tab.label,
    caption: () => (tab.needs && dlsys.whyNot(tab.needs)) || tab.caption,
    isEnabled: () => !tab.needs || !dlsys.whyNot(tab.needs),
    icon: tab.icon ?? dlsysIcon,
    describedBy: { args: schemaOf(tab.args) },
    execute: async args => {
      const context = await dlsys.context(args['project'] as string | undefined);
      const { session } = context;
      let widget = tracker.find(item => isOf(item, session, args));
      if (widget) {
        tab.again?.(widget.content, args);
      } else {
        const content = (await tab.load())(context, args);
        const name = [projectOf(session), tab.key(args)].filter(part => part).join('/');
        widget = new MainAreaWidget({ content });
        widget.id = `dlsys-${tab.namespace}-${(args[NAME] as string | undefined) ?? name}`;
        content.rename(tab.title(args), tab.caption);
        widget.title.icon = tab.icon ?? dlsysIcon;
        widget.title.closable = true;
        opened.set(widget, { args, session });
        app.shell.add(widget, 'main', { type: 'DL System' });
        await tracker.add(widget);
      }
      app.shell.activateById(widget.id);
    }
  });
  void dlsys.used.then(({ platform }) => {
    // a tab that was opened before its project was known must not follow to another one
    platform.switched.connect(() => tracker.forEach(widget => void tracker.save(widget)));
  });
  void restorer?.restore(tracker, {
    command: tab.command,
    name: nameOf,
    args: widget => {
      const { args, session } = opened.get(widget) as IOpened;
      const project = projectOf(session);
      return { ...args, ...(project && { project }), [NAME]: nameOf(widget) } as JsonArgs;
    }
  });
}

function schemaOf(args: ITab['args']): ReadonlyJSONObject {
  const properties = Object.fromEntries(
    [...Object.entries(args), ['project', 'string']].map(([name, type]) => [name, { type }])
  );
  return { type: 'object', properties };
}
