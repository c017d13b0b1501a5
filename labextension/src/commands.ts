/** Ids of our commands; part of the interface: shortcuts and menus name them. */
export const CommandIDs = {
  openPanel: 'dlsys:open-panel',
  openDataset: 'dlsys:open-dataset',
  openJob: 'dlsys:open-job',
  openModel: 'dlsys:open-model',
  openEndpoint: 'dlsys:open-endpoint',
  openLineage: 'dlsys:open-lineage',
  openRun: 'dlsys:open-run',
  submit: 'dlsys:submit',
  commit: 'dlsys:commit',
  runNotebook: 'dlsys:run-notebook',
  submitFile: 'dlsys:submit-file',
  commitFile: 'dlsys:commit-file'
} as const;
