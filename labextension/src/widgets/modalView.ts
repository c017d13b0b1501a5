import { Widget } from '@lumino/widgets';

import type { IContext } from './context';
import { View } from './view';

/** A view that is a dialog over the whole page; it is gone when it is closed. */
export abstract class ModalView extends View {
  constructor(context: IContext) {
    super(context);
    this.addClass('jp-dlsys-ModalHost');
  }

  /** Put it before the person. */
  present(): void {
    Widget.attach(this, document.body);
  }

  /** Close the dialog. */
  protected readonly leave = (): void => {
    if (!this.isDisposed) {
      this.dispose();
    }
  };
}
