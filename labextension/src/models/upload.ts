import type { Client } from '../api/client';
import { operations } from '../api/operations';
import type { CommitRequest, Format, Kind, Version } from '../api/types';

const PIECE = 4 * 2 ** 20;
const EXTENSIONS: Record<string, Format> = {
  csv: 'csv',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  parquet: 'parquet',
  arrow: 'arrow',
  feather: 'arrow',
  zip: 'images-zip'
};

export interface ICommit {
  name: string;
  create: { kind: Kind; description: string } | null;
  operation: 'append' | 'replace';
  message: string;
  tags: Record<string, string>;
  parent: number | null;
}

/** The format that a file name tells, or null. */
export function formatOf(filename: string): Format | null {
  return EXTENSIONS[filename.split('.').pop()?.toLowerCase() ?? ''] ?? null;
}

/** A dataset name made of a file name. */
export function nameOf(filename: string): string {
  const stem = filename.replace(/^.*\//, '').replace(/\.[^.]*$/, '');
  const name = stem
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .slice(0, 63);
  return name.replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '') || 'data';
}

/** Guess the kind from the first line of a text file; the server checks it on commit anyway. */
export function guessKind(format: Format | null, head: string): Kind {
  if (format === 'images-zip') {
    return 'image-classification';
  }
  const first = head.split('\n')[0] ?? '';
  const names =
    format === 'csv'
      ? first.split(',').map(name => name.trim().replace(/^"|"$/g, '').toLowerCase())
      : format === 'jsonl'
        ? [...first.matchAll(/"([^"]+)"\s*:/g)].map(match => (match[1] ?? '').toLowerCase())
        : [];
  if (names.includes('text') && names.includes('label')) {
    return 'text-classification';
  }
  return names.length > 1 ? 'tabular' : 'generic';
}

/** Upload in pieces, so that progress shows and a large file needs no large request. */
export async function upload(
  client: Client,
  filename: string,
  bytes: Blob,
  onProgress: (done: number, total: number) => void
): Promise<string> {
  const { id } = await operations['uploads.create'](client, filename);
  try {
    for (let offset = 0; offset < bytes.size;) {
      const piece = bytes.slice(offset, offset + PIECE);
      const answer = await operations['uploads.send'](client, id, offset, piece);
      offset = answer.offset;
      onProgress(offset, bytes.size);
    }
  } catch (error) {
    await operations['uploads.remove'](client, id).catch(() => undefined);
    throw error;
  }
  return id;
}

/** Upload a file and commit it; a dataset that was made for it and got no row is taken back. */
export async function commitFile(
  client: Client,
  filename: string,
  bytes: Blob,
  commit: ICommit,
  onProgress: (done: number, total: number) => void
): Promise<Version> {
  const uploaded = await upload(client, filename, bytes, onProgress);
  if (commit.create) {
    await operations['datasets.create'](client, { name: commit.name, ...commit.create });
  }
  const body: CommitRequest = {
    message: commit.message,
    operation: commit.operation,
    tags: commit.tags,
    files: [{ upload: uploaded, format: formatOf(filename) }],
    parent: commit.parent
  };
  try {
    return await operations['datasets.commit'](client, commit.name, body);
  } catch (error) {
    if (commit.create) {
      await operations['datasets.remove'](client, commit.name).catch(() => undefined);
    }
    throw error;
  }
}
