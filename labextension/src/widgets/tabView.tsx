import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

import type { Problem } from '../api/types';
import { Loaded } from '../components/problem';
import type { IContext } from './context';
import { View } from './view';

interface ITabModel {
  readonly changed: ISignal<object, unknown>;
  readonly problem: Problem | null;
  open(): Promise<void>;
  dispose(): void;
}

/** A main-area tab that shows one model: opens it, draws it or its problem, lets go of it. */
export abstract class TabView<M extends ITabModel> extends View {
  constructor(
    context: IContext,
    protected readonly model: M
  ) {
    super(context);
    this.follow(model);
    void model.open();
  }

  override dispose(): void {
    this.model.dispose();
    super.dispose();
  }

  protected body(): React.ReactElement {
    const content = this.content();
    const { problem } = this.model;
    return (
      <Loaded ready={!!content} problem={problem} onRetry={() => void this.model.open()}>
        {() => content}
      </Loaded>
    );
  }

  /** What to draw of the model; null while there is nothing. */
  protected abstract content(): React.ReactElement | null;

  /** Close the whole tab. */
  protected leave(): void {
    (this.parent ?? this).dispose();
  }
}
