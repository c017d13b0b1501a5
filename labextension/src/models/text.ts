/** What a terminal makes of a text: carriage returns, backspaces, colours. */

/** Text as a terminal shows it: `\r` goes back to the start of the line and overwrites. */
export function settle(text: string): string {
  if (!/[\r\b]/.test(text)) {
    return text;
  }
  return text
    .replace(/\r+\n/g, '\n')
    .split('\n')
    .map(line => overwrite(line))
    .join('\n');
}

function overwrite(line: string): string {
  let shown = '';
  // a trailing \r is kept: the next piece of output goes on from there
  const open = line.endsWith('\r');
  const pieces = (open ? line.slice(0, -1) : line).split('\r');
  for (const piece of pieces) {
    const clean = erase(piece);
    shown = clean + shown.slice(clean.length);
  }
  return open ? shown + '\r' : shown;
}

function erase(piece: string): string {
  if (!piece.includes('\b')) {
    return piece;
  }
  const kept: string[] = [];
  for (const char of piece) {
    if (char === '\b') {
      kept.pop();
    } else {
      kept.push(char);
    }
  }
  return kept.join('');
}

// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b\[([0-9;]*)([A-Za-z])/g;

/** A run of text in one colour. */
export interface ISpan {
  text: string;
  colour: string;
  bold: boolean;
}

const COLOURS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

/** Split a line of terminal output at its colour changes. */
export function spans(line: string): ISpan[] {
  const found: ISpan[] = [];
  let colour = '';
  let bold = false;
  let from = 0;
  for (const match of line.matchAll(ESCAPES)) {
    push(found, line.slice(from, match.index), colour, bold);
    from = match.index + match[0].length;
    if (match[2] === 'm') {
      for (const code of (match[1] || '0').split(';').map(Number)) {
        if (code === 0) {
          colour = '';
          bold = false;
        } else if (code === 1) {
          bold = true;
        } else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) {
          colour = COLOURS[code % 10] ?? '';
        } else if (code === 39) {
          colour = '';
        }
      }
    }
  }
  push(found, line.slice(from), colour, bold);
  return found;
}

function push(into: ISpan[], text: string, colour: string, bold: boolean): void {
  if (text) {
    into.push({ text, colour, bold });
  }
}
