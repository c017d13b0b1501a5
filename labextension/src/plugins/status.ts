import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { Widget } from '@lumino/widgets';

import { CommandIDs } from '../commands';
import type { Worker } from '../api/types';
import { IDlsys } from '../tokens';
import type { IContext } from '../widgets/context';

/** "GPU 1/2 · 3 queued"; a click opens the Compute tab. */
export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:status',
  description: 'Status bar item with what is in use and how many jobs wait.',
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
    button.title = trans.__('Machines, what jobs use, and the queue');
    button.addEventListener('click', () => void app.commands.execute(CommandIDs.openCompute));
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
      const { platform } = context;
      const follow = (): void => void platform.current.jobs.changed.connect(update);
      follow();
      platform.switched.connect(() => {
        follow();
        update();
      });
      platform.system.changed.connect(update);
    });
  }
};

function words({ platform, trans }: IContext): string {
  const session = platform.current;
  if (session.system.state !== 'ready' || session.system.workers.length === 0) {
    return session.system.state === 'starting'
      ? trans.__('DL System starting…')
      : trans.__('DL System');
  }
  const { workers } = session.system;
  const sum = (of: (worker: Worker) => number): number =>
    workers.reduce((all, worker) => all + of(worker), 0);
  const gpus = sum(worker => worker.gpus.length);
  const used = gpus
    ? trans.__(
        'GPU %1/%2',
        sum(worker => worker.gpus_used),
        gpus
      )
    : trans.__('CPU %1/%2', round(sum(worker => worker.cpus_used)), round(sum(w => w.cpus)));
  const queued = session.jobs.items.filter(job => job.state === 'queued').length;
  return queued ? `${used} · ${trans.__('%1 queued', queued)}` : used;
}

const round = (cores: number): number => Math.round(10 * cores) / 10;
