import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

/** A kernel of this Jupyter server. */
export interface IKernel {
  id: string;
  name: string;
  /** What it belongs to, for people: a notebook's path. */
  path: string;
  state: string;
  lastActivity: string;
}

/** The way to the kernels of this Jupyter server. */
export interface IKernels {
  list(): Promise<IKernel[]>;
  shutDown(id: string): Promise<void>;
}

const IDLE_MS = 10 * 60 * 1000;
const LIST_MS = 15_000;

/** Kernels that hold memory and did nothing for ten minutes. */
export class IdleKernels {
  constructor(private readonly _kernels: IKernels) {}

  items: readonly IKernel[] = [];
  /** How many kernels there are in all. */
  total = 0;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** List them now, and again and again while `visible` says that somebody looks. */
  look(visible: () => boolean): void {
    void this.refresh();
    this._poll = window.setInterval(() => {
      if (document.visibilityState === 'visible' && visible()) {
        void this.refresh();
      }
    }, LIST_MS);
  }

  async refresh(now = Date.now()): Promise<void> {
    try {
      const all = await this._kernels.list();
      const since = (kernel: IKernel): number => now - Date.parse(kernel.lastActivity);
      this.total = all.length;
      this.items = all
        .filter(kernel => kernel.state !== 'busy' && since(kernel) > IDLE_MS)
        .sort((a, b) => since(b) - since(a));
    } catch {
      return; // what was known stays on show
    }
    this._changed.emit();
  }

  async shutDown(id: string): Promise<void> {
    await this._kernels.shutDown(id);
    await this.refresh();
  }

  dispose(): void {
    clearInterval(this._poll);
    Signal.clearData(this);
  }

  private readonly _changed = new Signal<this, void>(this);
  private _poll = 0;
}
