import { ReactWidget } from '@jupyterlab/ui-components';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

import { Whose } from '../components/whose';
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
    const { platform, session } = context;
    platform.switched.connect(this._onProject, this);
    platform.projects.changed.connect(this._onProject, this);
    session.permissions.changed.connect(this._onProject, this);
    this._env = this._makeEnv();
  }

  /** What the tab is called, by its thing; the project is added where it is not the current one. */
  rename(label: string, caption = this._caption): void {
    this._label = label;
    this._caption = caption;
    const { title } = this.parent ?? this;
    const { project } = this.context.session.client;
    title.label = this._foreign && label ? `${label} · ${project}` : label;
    title.caption =
      this.ofProject && this.context.platform.several ? `${project} · ${caption}` : caption;
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.context.themes?.themeChanged.disconnect(this._onTheme, this);
    const { platform, session } = this.context;
    platform.switched.disconnect(this._onProject, this);
    platform.projects.changed.disconnect(this._onProject, this);
    session.permissions.changed.disconnect(this._onProject, this);
    this._live.forEach(model => model.changed.disconnect(this.update, this));
    super.dispose();
  }

  protected override render(): React.ReactElement {
    const { platform, session } = this.context;
    const { project } = session.client;
    return (
      <EnvContext.Provider value={this._env}>
        {this._foreign ? (
          <Whose
            name={project}
            project={session.project}
            onSwitch={session.guest ? null : () => platform.switch(project)}
          />
        ) : null}
        {this.body()}
      </EnvContext.Provider>
    );
  }

  /** What to draw. */
  protected abstract body(): React.ReactElement;

  /** Draw again when the model changes. */
  protected follow<T extends ILive>(model: T): T {
    model.changed.connect(this.update, this);
    this._live.push(model);
    return model;
  }

  /** Whether this shows things of one project. */
  protected get ofProject(): boolean {
    return true;
  }

  /** Whether this is of another project than the current one. */
  private get _foreign(): boolean {
    const { platform, session } = this.context;
    const { project } = session.client;
    const several = platform.several || session.guest;
    return this.ofProject && several && !!project && platform.current.client.project !== project;
  }

  /** Another project, other projects, or other rights in this one. */
  private _onProject(): void {
    this._env = this._makeEnv();
    if (this._label) {
      this.rename(this._label);
    }
    this.update();
  }

  private _onTheme(): void {
    // the new style sheet has to be in force before a canvas reads its colours
    requestAnimationFrame(() => {
      this._env = this._makeEnv();
      this.update();
    });
  }

  private _makeEnv(): IEnv {
    const { platform, session, themes, trans, rendermime, open, copy } = this.context;
    const theme = themes?.theme ?? '';
    const dark = !!theme && !themes?.isLight(theme);
    const { guest } = session;
    const project = platform.several || guest ? session.client.project : '';
    const current = platform.current.client.project;
    const stranger = guest ? trans.__('You are not in the project %1', project) : '';
    const whyNot = (operation: string): string => stranger || session.permissions.whyNot(operation);
    return { trans, theme, dark, rendermime, project, guest, current, open, copy, whyNot };
  }

  private readonly _live: ILive[] = [];
  private _env: IEnv;
  private _label = '';
  private _caption = '';
}
