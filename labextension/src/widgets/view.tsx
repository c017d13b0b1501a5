import { ReactWidget } from '@jupyterlab/ui-components';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

import { EnvContext } from '../components/env';
import type { IEnv } from '../components/env';
import type { IContext } from './context';
import '../../style/all.css';

interface ILive {
  readonly changed: ISignal<object, unknown>;
}

/** A widget that draws models: again when one changes, and when the theme does. */
export abstract class View extends ReactWidget {
  constructor(protected readonly context: IContext) {
    super();
    this.addClass('jp-dlsys-View');
    this.node.tabIndex = -1;
    context.themes?.themeChanged.connect(this._onTheme, this);
    this._env = this._makeEnv();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.context.themes?.themeChanged.disconnect(this._onTheme, this);
    this._live.forEach(model => model.changed.disconnect(this.update, this));
    super.dispose();
  }

  protected override render(): React.ReactElement {
    return <EnvContext.Provider value={this._env}>{this.body()}</EnvContext.Provider>;
  }

  /** What to draw. */
  protected abstract body(): React.ReactElement;

  /** Draw again when the model changes. */
  protected follow<T extends ILive>(model: T): T {
    model.changed.connect(this.update, this);
    this._live.push(model);
    return model;
  }

  private _onTheme(): void {
    // the new style sheet has to be in force before a canvas reads its colours
    requestAnimationFrame(() => {
      this._env = this._makeEnv();
      this.update();
    });
  }

  private _makeEnv(): IEnv {
    const { themes, trans, rendermime, open, copy } = this.context;
    const theme = themes?.theme ?? '';
    const dark = !!theme && !themes?.isLight(theme);
    return { trans, theme, dark, rendermime, open, copy };
  }

  private readonly _live: ILive[] = [];
  private _env: IEnv;
}
