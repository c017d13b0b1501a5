import { settle } from './text';

const REWRITES = /[\r\b]/;

/**
 * Text that grows, as a terminal shows it: `\r` and `\b` overwrite.
 *
 * Adding costs what is added, not what is there, so megabytes may come in small pieces.
 */
export class Terminal {
  /** Characters beyond `limit` are dropped from the start, by pieces. */
  constructor(private readonly _limit = Infinity) {}

  /** Grows with each change. */
  revision = 0;

  /** Lines that ended, also those that were dropped. */
  lines = 0;

  get length(): number {
    return this._length;
  }

  get text(): string {
    return [...this._parts, this._shownLine()].join('');
  }

  add(more: string): void {
    const before = this._line.length;
    if (this._open || REWRITES.test(more)) {
      const all = settle(this._line + more);
      this._open = all.endsWith('\r');
      this._length += all.length - before;
      this._keep(all, 0);
    } else {
      this._length += more.length;
      this._keep(more, 1);
    }
    while (this._length > this._limit && this._parts.length > 1) {
      this._length -= this._parts.shift()?.length ?? 0;
    }
    this.revision++;
  }

  /** The end of it: whole lines where they fit, at most `limit` characters. */
  tail(limit: number): string {
    const pieces = [this._shownLine()];
    let size = this._line.length;
    for (let at = this._parts.length - 1; at >= 0 && size < limit; at--) {
      pieces.push(this._parts[at] ?? '');
      size += this._parts[at]?.length ?? 0;
    }
    const joined = pieces.reverse().join('');
    if (joined.length <= limit) {
      return joined;
    }
    const cut = joined.slice(-limit);
    const line = cut.indexOf('\n') + 1;
    return line > 0 && line < cut.length ? cut.slice(line) : cut;
  }

  private _keep(text: string, after: 0 | 1): void {
    const cut = text.lastIndexOf('\n') + 1;
    const line = after ? this._line : '';
    if (cut > 0) {
      for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
        this.lines++;
      }
      this._parts.push(line + text.slice(0, cut));
      this._line = text.slice(cut);
    } else {
      this._line = line + text;
    }
  }

  private _shownLine(): string {
    return this._open ? this._line.replace(/\r$/, '') : this._line;
  }

  private readonly _parts: string[] = [];
  private _line = '';
  private _length = 0;
  private _open = false;
}
