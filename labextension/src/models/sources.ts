import type { Contents } from '@jupyterlab/services';

import type { Client } from '../api/client';
import { operations } from '../api/operations';
import type { NotebookInfo, SourceFile } from '../api/types';

const MODULE_LIMIT = 50;

/** A notebook or script as it is saved, with what the platform reads from it. */
export interface ISource {
  path: string;
  source: SourceFile;
  modules: SourceFile[];
  info: NotebookInfo;
}

/**
 * Look into a file, and gather the local modules that it imports.
 *
 * `open` is its text in an editor, with changes that are not saved; without it the file is read.
 */
export async function readSource(
  client: Client,
  contents: Contents.IManager,
  path: string,
  open: string | null = null
): Promise<ISource> {
  const source = { path: basename(path), content: open ?? (await readText(contents, path)) };
  const info = await operations['jobs.inspect'](client, source);
  const modules = await localModules(client, contents, dirname(path), info.imports ?? []);
  return { path, source, modules: modules.filter(m => m.path !== source.path), info };
}

async function readText(contents: Contents.IManager, path: string): Promise<string> {
  const model = await contents.get(path, { content: true });
  return typeof model.content === 'string' ? model.content : JSON.stringify(model.content);
}

/** Files next to the notebook that its imports mean, and what these import, breadth first. */
async function localModules(
  client: Client,
  contents: Contents.IManager,
  folder: string,
  imports: readonly string[]
): Promise<SourceFile[]> {
  const listing = await contents.get(folder, { content: true });
  const there = new Map<string, Contents.IModel>(
    (listing.content as Contents.IModel[]).map(entry => [entry.name, entry])
  );
  const found = new Map<string, SourceFile>();
  const pending = [...imports];
  const seen = new Set<string>();
  while (pending.length > 0 && found.size < MODULE_LIMIT) {
    const name = pending.shift() ?? '';
    if (seen.has(name)) {
      continue;
    }
    seen.add(name);
    for (const file of await moduleFiles(contents, there, name)) {
      const local = { path: relative(folder, file), content: await readText(contents, file) };
      found.set(local.path, local);
      const inner = await operations['jobs.inspect'](client, local);
      pending.push(...(inner.imports ?? []));
    }
  }
  return [...found.values()];
}

async function moduleFiles(
  contents: Contents.IManager,
  there: Map<string, Contents.IModel>,
  name: string
): Promise<string[]> {
  const file = there.get(`${name}.py`);
  if (file) {
    return [file.path];
  }
  const folder = there.get(name);
  return folder?.type === 'directory' ? packageFiles(contents, folder.path) : [];
}

async function packageFiles(contents: Contents.IManager, path: string): Promise<string[]> {
  const listing = await contents.get(path, { content: true });
  const files: string[] = [];
  for (const entry of listing.content as Contents.IModel[]) {
    if (entry.type === 'directory' && entry.name !== '__pycache__') {
      files.push(...(await packageFiles(contents, entry.path)));
    } else if (entry.name.endsWith('.py')) {
      files.push(entry.path);
    }
  }
  return files;
}

export function basename(path: string): string {
  return path.split('/').pop() ?? path;
}

export function dirname(path: string): string {
  return path.split('/').slice(0, -1).join('/');
}

function relative(folder: string, path: string): string {
  return folder && path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path;
}

/** Which dataset and split the source itself names, to fill the form with; '' when none. */
export function guessInput(content: string, name: string): { dataset: string; split: string } {
  const code = content.replace(/\\"/g, '"');
  const bound =
    new RegExp(`bind\\(\\s*["']${name}["']\\s*,\\s*["']([^"'@]+)`).exec(code)?.[1] ?? '';
  const uses = (part: string): boolean =>
    new RegExp(`(split\\(|\\[|[{,])\\s*["']${part}["']`).test(code);
  const parts = ['train', 'val', 'test'].filter(uses);
  const splits: Record<string, string> = {
    'train,val,test': '0.8, 0.1, 0.1',
    'train,test': '0.8, 0.2',
    'train,val': 'train=0.8, val=0.2'
  };
  return { dataset: bound, split: splits[parts.join(',')] ?? '' };
}
