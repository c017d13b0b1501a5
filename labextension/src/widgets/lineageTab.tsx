import * as React from 'react';

import { LineageView } from '../components/lineageView';
import { LineageModel } from '../models/lineageModel';
import type { IContext } from './context';
import { TabView } from './tabView';

export class LineageTab extends TabView<LineageModel> {
  constructor(context: IContext, ref: string) {
    super(context, new LineageModel(context.session, ref));
  }

  protected content(): React.ReactElement | null {
    const { lineage, ref } = this.model;
    return lineage ? (
      <LineageView
        lineage={lineage}
        reference={ref}
        onExpand={node => void this.model.expand(node)}
      />
    ) : null;
  }
}
