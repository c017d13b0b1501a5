import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import type { Job } from '../api/types';
import { IDlsys } from '../tokens';
import { corePlugin } from './core';

type Wanted = 'all' | 'failures' | 'none';

/** Tells of the end of a job, with a way to it. */
export const notificationsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-dlsys:notifications',
  description: 'Notification at the end of a job.',
  autoStart: true,
  requires: [IDlsys],
  optional: [ISettingRegistry],
  activate: (_app: JupyterFrontEnd, dlsys: IDlsys, registry: ISettingRegistry | null) => {
    let wanted: Wanted = 'all';
    void registry?.load(corePlugin.id).then(settings => {
      const read = (): void => {
        wanted = (settings.composite['notify'] as Wanted | undefined) ?? 'all';
      };
      read();
      settings.changed.connect(read);
    });
    void dlsys.used.then(({ platform }) => {
      platform.jobEnded.connect(async (_platform, ended) => {
        if (wanted !== 'none') {
          const job = await platform.session(ended.project).job(ended.job);
          if (job.owner === platform.system.whoami?.name) {
            tell(dlsys, job, wanted); // of colleagues' jobs the panel tells
          }
        }
      });
    });
  }
};

function tell(dlsys: IDlsys, job: Job, wanted: Wanted): void {
  const { trans } = dlsys;
  const good = job.state === 'succeeded';
  if (good && wanted === 'failures') {
    return;
  }
  const actions = [
    {
      label: trans.__('Open job'),
      callback: () => dlsys.open({ kind: 'job', id: job.id, project: job.project })
    }
  ];
  const model = job.models?.[0]?.split('@')[0];
  if (model) {
    const callback = (): void => dlsys.open({ kind: 'model', name: model, project: job.project });
    actions.push({ label: trans.__('Open model'), callback });
  }
  const text = good ? trans.__('%1 is done', job.name) : trans.__('%1: %2', job.name, job.reason);
  const options = { autoClose: good ? 10_000 : (false as const), actions };
  if (good) {
    Notification.success(text, options);
  } else if (job.state === 'cancelled') {
    Notification.info(text, { ...options, autoClose: 5000 });
  } else {
    Notification.error(text, options);
  }
}
