import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { settingsIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { IDlsys } from '../tokens';
import type { AdminTab } from '../widgets/adminTab';
import { addTab } from './tab';

/** Main-area tab of projects, quotas, tokens and the audit log. */
export const adminPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:admin',
  description: 'Main-area tab of projects, quotas, tokens and the audit log.',
  autoStart: true,
  requires: [IDlsys],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, restorer: ILayoutRestorer | null) =>
    addTab(app, dlsys, restorer, {
      command: CommandIDs.openAdmin,
      namespace: 'admin',
      label: dlsys.trans.__('Administration'),
      caption: dlsys.trans.__('Projects, quotas and use, tokens, audit'),
      icon: settingsIcon,
      args: { part: 'string' },
      everywhere: true,
      key: () => 'all',
      title: () => dlsys.trans.__('Administration'),
      load: async () => {
        const tab = await import(/* webpackChunkName: "models" */ '../widgets/adminTab');
        return (context, args) => new tab.AdminTab(context, args['part'] as string | undefined);
      },
      again: (content, { part }) => {
        if (typeof part === 'string') {
          (content as AdminTab).showPart(part);
        }
      }
    })
};
