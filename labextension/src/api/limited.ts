export interface IRead {
  value: unknown;
  tooLarge: boolean;
}

/** Bytes; what is larger is for downloading, not for the page. */
const LIMIT = 24_000_000;

/** JSON of an answer, unless it is too large for a page: then reading stops there. */
export async function readSmall(asked: Promise<Response>, limit = LIMIT): Promise<IRead> {
  const response = await asked;
  const given = Number(response.headers.get('Content-Length') ?? 0);
  const reader = response.body?.getReader();
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  while (reader) {
    if (given > limit || size > limit) {
      await reader.cancel();
      return { value: null, tooLarge: true };
    }
    const { value, done } = await reader.read();
    if (done) {
      break;
    }
    pieces.push(value);
    size += value.length;
  }
  return { value: JSON.parse(await new Blob(pieces).text()), tooLarge: false };
}
