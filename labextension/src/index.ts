import { adminPlugin } from './plugins/admin';
import { commitPlugin } from './plugins/commit';
import { computePlugin } from './plugins/compute';
import { corePlugin } from './plugins/core';
import { datasetPlugin } from './plugins/dataset';
import { endpointPlugin } from './plugins/endpoint';
import { filesPlugin } from './plugins/files';
import { jobPlugin } from './plugins/job';
import { launcherPlugin } from './plugins/launcher';
import { lineagePlugin } from './plugins/lineage';
import { modelPlugin } from './plugins/model';
import { notebookPlugin } from './plugins/notebook';
import { notificationsPlugin } from './plugins/notifications';
import { projectsPlugin } from './plugins/projects';
import { schedulePlugin } from './plugins/schedule';
import { sidebarPlugin } from './plugins/sidebar';
import { statusPlugin } from './plugins/status';
import { submitPlugin } from './plugins/submit';

export { IDlsys } from './tokens';

export default [
  corePlugin,
  sidebarPlugin,
  projectsPlugin,
  datasetPlugin,
  commitPlugin,
  submitPlugin,
  schedulePlugin,
  computePlugin,
  adminPlugin,
  jobPlugin,
  modelPlugin,
  endpointPlugin,
  lineagePlugin,
  notebookPlugin,
  filesPlugin,
  launcherPlugin,
  statusPlugin,
  notificationsPlugin
];
