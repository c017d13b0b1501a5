import * as React from 'react';

import { ProjectPicker } from '../components/projectPicker';
import type { IContext } from './context';
import { ModalView } from './modalView';

/** The quick pick of projects. */
export class ProjectsModal extends ModalView {
  constructor(context: IContext) {
    super(context);
    this.follow(context.platform.projects).refreshSoon(0); // groups of the hub change unheard
  }

  protected body(): React.ReactElement {
    const { platform } = this.context;
    return (
      <ProjectPicker
        projects={platform.projects.items}
        current={platform.current.client.project}
        onChoose={project => {
          this.leave();
          platform.switch(project);
        }}
        onClose={this.leave}
      />
    );
  }
}
