import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { IStatusBar } from '@jupyterlab/statusbar';
import { usersIcon } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';

import { CommandIDs } from '../commands';
import type { Platform } from '../models/platform';
import { IDlsys } from '../tokens';

/** Which project is worked in, who is in it, and who sees a dataset. With one project: nothing. */
export const projectsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:projects',
  description: 'Switches projects; shows and changes who is in one.',
  autoStart: true,
  requires: [IDlsys],
  optional: [IStatusBar],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, statusBar: IStatusBar | null) => {
    let platform: Platform | null = null;
    addCommands(app, dlsys, () => platform);
    void dlsys.used.then(context => {
      platform = context.platform;
      const tell = (): void => app.commands.notifyCommandChanged();
      platform.projects.changed.connect(tell);
      const follow = (): void => {
        platform?.current.permissions.changed.connect(tell);
        tell();
      };
      follow();
      platform.switched.connect(follow);
      platform.lost.connect((now, project) => {
        const text = dlsys.trans.__('You are no longer in the project %1.', project);
        Notification.warning(`${text} ${dlsys.trans.__('You now work in %1.', now.home)}`);
      });
      if (statusBar) {
        addStatus(app, dlsys, statusBar, platform);
      }
    });
  }
};

function addCommands(app: JupyterFrontEnd, dlsys: IDlsys, platform: () => Platform | null): void {
  const { trans } = dlsys;
  const several = (): boolean => !!platform()?.several;
  const text = { type: 'string' };
  app.commands.addCommand(CommandIDs.switchProject, {
    label: trans.__('Switch Project…'),
    caption: trans.__('Work in another project: new data and jobs go there'),
    isVisible: several,
    isEnabled: several,
    describedBy: { args: { type: 'object', properties: { to: text } } },
    execute: async args => {
      const context = await dlsys.context();
      if (typeof args['to'] === 'string') {
        context.platform.switch(args['to']);
        return;
      }
      const modals = await import(/* webpackChunkName: "share" */ '../widgets/projectsModal');
      new modals.ProjectsModal(context).present();
    }
  });
  app.commands.addCommand(CommandIDs.openAccess, {
    label: trans.__('Who Can See a Dataset…'),
    caption: trans.__('Visibility, masked columns, hidden rows, export'),
    describedBy: { args: { type: 'object', properties: { name: text, project: text } } },
    execute: async args => {
      const context = await dlsys.context(args['project'] as string | undefined);
      const modals = await import(/* webpackChunkName: "share" */ '../widgets/policyModal');
      new modals.PolicyModal(context, String(args['name'])).present();
    }
  });
  const shared = (): boolean => several() && platform()?.current.project?.kind === 'shared';
  app.commands.addCommand(CommandIDs.openMembers, {
    label: trans.__('Who Is in This Project…'),
    caption: trans.__('Members and their roles'),
    icon: usersIcon,
    isVisible: shared,
    isEnabled: shared,
    describedBy: { args: { type: 'object', properties: { project: text } } },
    execute: async args => {
      const context = await dlsys.context(args['project'] as string | undefined);
      const modals = await import(/* webpackChunkName: "share" */ '../widgets/membersModal');
      new modals.MembersModal(context).present();
    }
  });
}

/** The name of the current project; a click switches. */
function addStatus(
  app: JupyterFrontEnd,
  dlsys: IDlsys,
  statusBar: IStatusBar,
  platform: Platform
): void {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'jp-dlsys-Status';
  button.title = dlsys.trans.__('Project: new data and jobs go there. Press to switch.');
  button.addEventListener('click', () => void app.commands.execute(CommandIDs.switchProject));
  const node = document.createElement('div');
  node.appendChild(button);
  const update = (): void => {
    const { project, client } = platform.current;
    button.textContent = project?.title || client.project;
  };
  update();
  platform.projects.changed.connect(update);
  platform.switched.connect(update);
  statusBar.registerStatusItem('jupyter-dlsys:project', {
    item: new Widget({ node }),
    align: 'left',
    rank: 89,
    isActive: () => platform.several,
    activeStateChanged: platform.projects.changed
  });
}
