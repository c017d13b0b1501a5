import type { TranslationBundle } from '@jupyterlab/translation';

import type { LineageNode } from '../api/types';
import { shortHash } from './format';

export function nodeWord(trans: TranslationBundle, type: LineageNode['type']): string {
  const words: Record<LineageNode['type'], string> = {
    dataset_version: trans.__('Data'),
    snapshot: trans.__('Snapshot'),
    notebook: trans.__('Notebook'),
    environment: trans.__('Environment'),
    run: trans.__('Run'),
    model_version: trans.__('Model'),
    deployment: trans.__('Endpoint')
  };
  return words[type] ?? type;
}

/** A name with its version; hashes are cut. */
export function nodeTitle(node: LineageNode): string {
  const title = node.properties?.['title'];
  if (typeof title === 'string' && title) {
    return title;
  }
  if (node.type === 'notebook') {
    return node.name.replace(/@[0-9a-f]+$/, '');
  }
  return /^(sha256:)?[0-9a-f]{32,}$/.test(node.name) ? shortHash(node.name) : node.name;
}
