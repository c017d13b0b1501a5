/** Ids of our commands; part of the interface: shortcuts and menus name them. */
export const CommandIDs = {
  openPanel: 'dlsys:open-panel',
  openDataset: 'dlsys:open-dataset',
  openJob: 'dlsys:open-job',
  openModel: 'dlsys:open-model',
  openEndpoint: 'dlsys:open-endpoint',
  openLineage: 'dlsys:open-lineage',
  openRun: 'dlsys:open-run',
  openSchedule: 'dlsys:open-schedule',
  openCompute: 'dlsys:open-compute',
  openAdmin: 'dlsys:open-admin',
  switchProject: 'dlsys:switch-project',
  openMembers: 'dlsys:open-members',
  openAccess: 'dlsys:open-access',
  submit: 'dlsys:submit',
  schedule: 'dlsys:schedule',
  commit: 'dlsys:commit',
  runNotebook: 'dlsys:run-notebook',
  scheduleNotebook: 'dlsys:schedule-notebook',
  scheduleFile: 'dlsys:schedule-file',
  submitFile: 'dlsys:submit-file',
  commitFile: 'dlsys:commit-file'
} as const;
