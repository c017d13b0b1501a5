import { ILabShell, ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { CommandIDs } from '../commands';
import { dlsysIcon } from '../icon';
import { IDlsys } from '../tokens';
import { SidebarShell } from '../widgets/sidebarShell';

/** The panel in the left area. */
export const sidebarPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:sidebar',
  description: 'Panel with data, jobs, models, schedules and compute.',
  autoStart: true,
  requires: [IDlsys],
  optional: [ILabShell, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    dlsys: IDlsys,
    shell: ILabShell | null,
    restorer: ILayoutRestorer | null
  ) => {
    const { trans } = dlsys;
    const panel = new SidebarShell(async () => {
      const [context, { SidebarView }] = await Promise.all([
        dlsys.context(),
        import('../widgets/sidebar')
      ]);
      return new SidebarView(context);
    });
    void dlsys.used.then(({ platform }) => {
      platform.switched.connect(() => void panel.renew());
    });
    panel.title.icon = dlsysIcon;
    panel.title.caption = trans.__('DL System: data, jobs, models');
    panel.node.setAttribute('role', 'region');
    panel.node.setAttribute('aria-label', trans.__('DL System'));
    app.shell.add(panel, 'left', { rank: 450, type: 'DL System' });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(CommandIDs.openPanel, {
      label: trans.__('DL System'),
      caption: trans.__('Show data, jobs, models and compute'),
      icon: dlsysIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => {
        shell?.expandLeft();
        app.shell.activateById(panel.id);
      }
    });
  }
};
