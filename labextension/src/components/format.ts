/** Numbers as people read them. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

export function bytes(value: number): string {
  let unit = 0;
  let left = value;
  while (left >= 1000 && unit < UNITS.length - 1) {
    left /= 1000;
    unit++;
  }
  return `${unit === 0 || left >= 100 ? Math.round(left) : left.toFixed(1)} ${UNITS[unit]}`;
}

export function duration(seconds: number): string {
  if (seconds < 10) {
    return `${seconds.toFixed(1)} s`;
  }
  const total = Math.round(seconds);
  if (total < 60) {
    return `${total} s`;
  }
  const [h, m, s] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60), total % 60];
  return h > 0
    ? `${h} h ${String(m).padStart(2, '0')} min`
    : `${m} min ${String(s).padStart(2, '0')} s`;
}

export function count(value: number): string {
  return value.toLocaleString();
}

export function metric(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return '–';
  }
  if (Number.isInteger(value) && Math.abs(value) < 1e6) {
    return String(value);
  }
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6)
    ? value.toExponential(2)
    : String(Number(value.toPrecision(4)));
}

export function percent(value: number): string {
  return `${(100 * value).toFixed(value > 0.0995 || value === 0 ? 0 : 1)} %`;
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31536000],
  ['month', 2592000],
  ['day', 86400],
  ['hour', 3600],
  ['minute', 60]
];

export function ago(time: string, now = Date.now()): string {
  return relative(time, now, 'auto');
}

/** How long it is until then: never "tomorrow", always "in 1 day". */
export function until(time: string, now = Date.now()): string {
  return relative(time, now, 'always');
}

function relative(time: string, now: number, numeric: 'auto' | 'always'): string {
  const seconds = (Date.parse(time) - now) / 1000;
  const words = new Intl.RelativeTimeFormat(undefined, { numeric, style: 'short' });
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) {
      return words.format(Math.round(seconds / size), unit);
    }
  }
  return words.format(0, 'second');
}

export function moment(time: string): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

/** With seconds, where the order of things matters. */
export function instant(time: string): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

/** A time as a clock in that zone shows it, with the day of the week. */
export function momentIn(time: string, zone: string): string {
  const style = { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' } as const;
  const clock = { hour: '2-digit', minute: '2-digit', timeZoneName: 'short' } as const;
  try {
    return new Date(time).toLocaleString(undefined, { ...style, ...clock, timeZone: zone });
  } catch {
    return new Date(time).toLocaleString(undefined, { ...style, ...clock }); // a zone unknown here
  }
}

/** A content hash, short enough to compare by eye. */
export function shortHash(hash: string | null | undefined): string {
  return hash ? hash.replace(/^sha256:/, '').slice(0, 10) : '–';
}
