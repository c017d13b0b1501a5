export interface IRead {
  value: unknown;
  tooLarge: boolean;
}

/** JSON of an answer, unless it is larger than `limit` bytes: then reading stops there. */
export async function readJson(response: Response, limit: number): Promise<IRead> {
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
