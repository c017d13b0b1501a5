import { Panel } from '@lumino/widgets';
import type { Widget } from '@lumino/widgets';

/** The place in the left area; what is in it is loaded when it is first shown. */
export class SidebarShell extends Panel {
  constructor(private readonly _load: () => Promise<Widget>) {
    super();
    this.id = 'dlsys-panel';
    this.addClass('jp-dlsys-Shell');
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
