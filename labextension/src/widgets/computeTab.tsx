import * as React from 'react';

import { ComputeView } from '../components/computeView';
import { ComputeModel } from '../models/computeModel';
import { IdleKernels } from '../models/kernelsModel';
import type { IContext } from './context';
import { TabView } from './tabView';

export class ComputeTab extends TabView<ComputeModel> {
  constructor(context: IContext) {
    super(context, new ComputeModel(context.session));
    this._kernels = this.follow(new IdleKernels(context.kernels));
    this.model.look(() => this.isVisible);
    this._kernels.look(() => this.isVisible);
  }

  override dispose(): void {
    this._kernels.dispose();
    super.dispose();
  }

  protected content(): React.ReactElement | null {
    const { model } = this;
    return model.loaded ? (
      <ComputeView
        workers={model.workers}
        queue={model.queue}
        jobs={model.jobs}
        usage={model.usage}
        limits={model.limits}
        idle={this._kernels.items}
        kernels={this._kernels.total}
        onShutDown={id => this._kernels.shutDown(id)}
      />
    ) : null;
  }

  private readonly _kernels: IdleKernels;
}
