import { LabIcon } from '@jupyterlab/ui-components';

/** Layers of a network, as the sidebar, tabs and launcher show it. */
export const dlsysIcon = new LabIcon({
  name: 'dlsys:logo',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><g class="jp-icon3" fill="#616161"><path d="M5.6 7.2 12 5.1l6.4 5-.5 1.6-5.6 1.9-6.9-4.9zm.9 1.3 5.7 4 4.8-1.6-4.9-3.9zM5.6 16.8l.3-1.4 6.3-2.1 5.5-2 .7 1.4-6 6.2zm1.7-.6 4.6 1.3 4-4.2z"/><circle cx="5" cy="7.5" r="2.6"/><circle cx="5" cy="16.5" r="2.6"/><circle cx="12" cy="5" r="2.6"/><circle cx="12" cy="13" r="2.6"/><circle cx="12" cy="20" r="2.3"/><circle cx="19" cy="11.5" r="2.9"/></g></svg>'
});
