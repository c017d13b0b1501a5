/** What an endpoint takes, read from its contract. */

export interface IInput {
  name: string;
  type: string;
  /** Shape of one example, without the batch; empty for a scalar. */
  shape: number[];
  /** Brightest value of a picture's pixel. */
  highest: number;
}

const TEXT = /str|bytes|utf8|text/i;
const WHOLE = /int|long/i;

export function inputsOf(contract: Readonly<Record<string, unknown>> | null | undefined): IInput[] {
  const raw = contract?.['inputs'];
  if (!Array.isArray(raw)) {
    return [];
  }
  return raw.map((item: Record<string, unknown>, i) => ({
    name: String(item['name'] ?? `input_${i}`),
    type: String(item['type'] ?? item['datatype'] ?? item['dtype'] ?? 'float32'),
    shape: shapeOf(item),
    highest: Number(item['maximum'] ?? 255)
  }));
}

function shapeOf(item: Record<string, unknown>): number[] {
  const spec = item['tensor-spec'] as { shape?: unknown } | undefined;
  const shape = item['shape'] ?? spec?.shape;
  return Array.isArray(shape) ? shape.map(Number).filter(size => size > 0) : [];
}

export function labelsOf(contract: Readonly<Record<string, unknown>> | null | undefined): string[] {
  const labels = contract?.['labels'];
  return Array.isArray(labels) ? labels.map(String) : [];
}

export const isText = (input: IInput): boolean => TEXT.test(input.type);
export const isWhole = (input: IInput): boolean => WHOLE.test(input.type);

/** A picture small enough to draw by hand. */
export const isPicture = (input: IInput): boolean => {
  const [rows = 0, columns = 0] = input.shape.slice(-2);
  const others = input.shape.slice(0, -2).every(size => size === 1);
  return (
    input.shape.length >= 2 && others && rows >= 4 && rows <= 32 && columns >= 4 && columns <= 32
  );
};

/** A flat list in the given shape. */
export function reshape(flat: readonly number[], shape: readonly number[]): unknown {
  const [size, ...rest] = shape;
  if (size === undefined) {
    return flat[0] ?? 0;
  }
  if (rest.length === 0) {
    return flat.slice(0, size);
  }
  const step = flat.length / size;
  return Array.from({ length: size }, (_, i) =>
    reshape(flat.slice(i * step, (i + 1) * step), rest)
  );
}

/** The probabilities of the first example, when an answer has such. */
export function probabilitiesOf(outputs: Readonly<Record<string, unknown[]>>): number[] | null {
  for (const values of Object.values(outputs)) {
    const first = values[0];
    if (
      Array.isArray(first) &&
      first.length > 1 &&
      first.every(value => typeof value === 'number')
    ) {
      const sum = first.reduce((a: number, b: number) => a + b, 0);
      if (Math.abs(sum - 1) < 0.02 && first.every(value => value >= 0)) {
        return first as number[];
      }
    }
  }
  return null;
}
