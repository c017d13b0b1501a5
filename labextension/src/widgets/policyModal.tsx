import * as React from 'react';

import { Modal } from '../components/modal';
import { PolicyView } from '../components/policyView';
import { Loaded } from '../components/problem';
import { PolicyModel } from '../models/policyModel';
import type { IContext } from './context';
import { ModalView } from './modalView';

/** Who can see a dataset, and what of it. */
export class PolicyModal extends ModalView {
  constructor(context: IContext, name: string) {
    super(context);
    this._model = this.follow(new PolicyModel(context.session, name));
    void this._model.open();
  }

  override dispose(): void {
    this._model.dispose();
    super.dispose();
  }

  protected body(): React.ReactElement {
    const model = this._model;
    return (
      <Modal title={this.context.trans.__('Who can see “%1”', model.name)} onClose={this.leave}>
        <Loaded ready={!!model.policy} problem={model.problem} onRetry={() => void model.open()}>
          {() =>
            model.policy ? (
              <PolicyView
                policy={model.policy}
                columns={model.columns}
                onSave={request => model.save(request)}
                onCount={where => model.count(where)}
              />
            ) : null
          }
        </Loaded>
      </Modal>
    );
  }

  private readonly _model: PolicyModel;
}
