import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { Widget } from '@lumino/widgets';

import { CommandIDs } from '../commands';
import { IDlsys } from '../tokens';
import type { IContext } from '../widgets/context';

/** "1 running · 2 queued"; a click opens the panel. */
export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:status',
  description: 'Status bar item with the jobs that run and wait.',
  autoStart: true,
  requires: [IDlsys],
  optional: [IStatusBar],
  activate: (app: JupyterFrontEnd, dlsys: IDlsys, statusBar: IStatusBar | null) => {
    if (!statusBar) {
      return;
    }
    const { trans } = dlsys;
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'jp-dlsys-Status';
    button.textContent = trans.__('DL System');
    button.title = trans.__('Show data, jobs, models and compute');
    button.addEventListener('click', () => void app.commands.execute(CommandIDs.openPanel));
    const node = document.createElement('div');
    node.appendChild(button);
    statusBar.registerStatusItem('jupyter-dlsys:status', {
      item: new Widget({ node }),
      align: 'left',
      rank: 90
    });
    void dlsys.used.then(context => {
      const update = (): void => {
        button.textContent = words(context);
      };
      context.session.jobs.changed.connect(update);
      context.session.system.changed.connect(update);
    });
  }
};

function words({ session, trans }: IContext): string {
  if (session.system.state !== 'ready') {
    return session.system.state === 'starting'
      ? trans.__('DL System starting…')
      : trans.__('DL System');
  }
  const gpus = session.system.workers.reduce((sum, worker) => sum + worker.gpus.length, 0);
  const used = session.system.workers.reduce((sum, worker) => sum + worker.gpus_used, 0);
  const jobs = session.jobs.items;
  const running = jobs.filter(job =>
    ['starting', 'running', 'cancelling'].includes(job.state)
  ).length;
  const queued = jobs.filter(job => job.state === 'queued').length;
  const counts = trans.__('%1 running · %2 queued', running, queued);
  return gpus ? `${trans.__('GPU %1/%2', used, gpus)} · ${counts}` : counts;
}
