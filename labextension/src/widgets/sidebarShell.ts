import { Panel } from '@lumino/widgets';
import type { Widget } from '@lumino/widgets';

/** The place in the left area; what is in it is loaded when it is first shown. */
export class SidebarShell extends Panel {
  constructor(private readonly _load: () => Promise<Widget>) {
    super();
    this.id = 'dlsys-panel';
    this.addClass('jp-dlsys-Shell');
  }

  /** Show what another project has. */
  async renew(): Promise<void> {
    if (!this._loading) {
      return;
    }
    const next = await this._load();
    const held = this.node.contains(document.activeElement);
    [...this.widgets].forEach(widget => widget.dispose());
    this.addWidget(next);
    if (held) {
      next.node.focus();
    }
  }

  protected override onAfterShow(): void {
    this._fill();
  }

  protected override onAfterAttach(): void {
    this._fill();
  }

  private _fill(): void {
    if (!this._loading && this.isVisible) {
      this._loading = true;
      void this._load().then(widget => this.addWidget(widget));
    }
  }

  private _loading = false;
}
