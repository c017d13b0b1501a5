import * as React from 'react';

import { Button } from './basics';
import { useEnv } from './env';

/**
 * A grid to draw a small picture on, with the mouse, a finger or the keyboard.
 *
 * Pixels are bright on dark: 0 is empty, `highest` is full.
 */
export function DrawPad(props: {
  name: string;
  shape: readonly number[];
  highest: number;
  onChange: (flat: number[]) => void;
}): React.ReactElement {
  const { trans } = useEnv();
  const [rows = 8, columns = 8] = props.shape.slice(-2);
  const [pixels, setPixels] = React.useState<number[]>(() => Array<number>(rows * columns).fill(0));
  const [cursor, setCursor] = React.useState(0);
  const host = React.useRef<HTMLDivElement>(null);
  const change = (next: number[]): void => {
    setPixels(next);
    props.onChange(next);
  };
  const draw = (x: number, y: number, add: boolean): void => {
    const next = [...pixels];
    paint(next, { rows, columns, highest: props.highest }, x, y, add);
    change(next);
  };
  const onPointer = (event: React.PointerEvent): void => {
    if (event.buttons && host.current) {
      const box = host.current.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * columns;
      const y = ((event.clientY - box.top) / box.height) * rows;
      draw(x, y, event.buttons !== 2);
    }
  };
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (by) {
      setCursor(Math.max(0, Math.min(pixels.length - 1, cursor + by)));
      event.preventDefault();
    } else if (event.key === ' ') {
      change(pixels.map((value, i) => (i === cursor ? (value ? 0 : props.highest) : value)));
      event.preventDefault();
    }
  };
  return (
    <div className="jp-dlsys-Draw">
      <div
        ref={host}
        className="jp-dlsys-Draw-grid"
        role="application"
        tabIndex={0}
        aria-label={trans.__('Draw %1: arrow keys move, space paints', props.name)}
        style={{
          gridTemplateColumns: `repeat(${columns}, 1fr)`,
          aspectRatio: `${columns} / ${rows}`
        }}
        onPointerDown={onPointer}
        onPointerMove={onPointer}
        onContextMenu={event => event.preventDefault()}
        onKeyDown={onKeyDown}
      >
        {pixels.map((value, i) => (
          <span key={i} className={i === cursor ? 'jp-mod-cursor' : undefined}>
            <span style={{ opacity: value / props.highest }} />
          </span>
        ))}
      </div>
      <div>
        <small className="jp-dlsys-Weak">{trans.__('Draw here')}</small>
        <Button
          kind="quiet"
          label={trans.__('Clear')}
          onClick={() => change(pixels.map(() => 0))}
        />
      </div>
    </div>
  );
}

interface ICanvas {
  rows: number;
  columns: number;
  highest: number;
}

/** A soft brush, about as wide as the strokes of a scanned digit. */
function paint(pixels: number[], canvas: ICanvas, x: number, y: number, add: boolean): void {
  const { rows, columns, highest } = canvas;
  for (let row = Math.floor(y) - 1; row <= Math.floor(y) + 1; row++) {
    for (let column = Math.floor(x) - 1; column <= Math.floor(x) + 1; column++) {
      if (row < 0 || row >= rows || column < 0 || column >= columns) {
        continue;
      }
      const near = Math.max(0, 1 - Math.hypot(column + 0.5 - x, row + 0.5 - y));
      const at = row * columns + column;
      const ink = Math.round(Math.min(1, 1.4 * near) * highest);
      if (add) {
        pixels[at] = Math.max(pixels[at] ?? 0, ink);
      } else if (near > 0.3) {
        pixels[at] = 0;
      }
    }
  }
}
