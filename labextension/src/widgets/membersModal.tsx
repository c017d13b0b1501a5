import * as React from 'react';

import { MembersView } from '../components/membersView';
import { Modal } from '../components/modal';
import { Loaded } from '../components/problem';
import { projectWord } from '../components/roles';
import { MembersModel } from '../models/membersModel';
import type { IContext } from './context';
import { ModalView } from './modalView';

/** Who is in a project, and as what. */
export class MembersModal extends ModalView {
  constructor(context: IContext) {
    super(context);
    this._model = this.follow(new MembersModel(context.session));
    void this._model.open();
  }

  override dispose(): void {
    this._model.dispose();
    super.dispose();
  }

  protected body(): React.ReactElement {
    const model = this._model;
    const { session, trans } = this.context;
    const { project } = session;
    const name = project ? projectWord(trans, project) : session.client.project;
    return (
      <Modal title={trans.__('Who is in %1', name)} onClose={this.leave}>
        <Loaded ready={!!model.members} problem={model.problem} onRetry={() => void model.open()}>
          {() => (
            <MembersView
              project={project}
              members={model.members ?? []}
              last={model.last}
              onChange={(who, role) => model.change(who, role)}
              onUndo={() => model.undo()}
            />
          )}
        </Loaded>
      </Modal>
    );
  }

  private readonly _model: MembersModel;
}
