import type { TranslationBundle } from '@jupyterlab/translation';

import type { Limits, Use } from '../api/types';
import type { Tone } from './words';

export type Resource = Use['resource'];
export type Level = NonNullable<Use['level']>;

export const RESOURCES: readonly Resource[] = ['gpu_hours', 'jobs', 'storage_bytes', 'endpoints'];
const GB = 1e9;
const TONES: Record<Level, Tone> = { free: 'idle', ok: 'ok', near: 'warn', full: 'bad' };

export const levelTone = (level: Level): Tone => TONES[level] ?? 'idle';

/** Only what somebody should look at has a word. */
export function levelWord(trans: TranslationBundle, level: Level): string {
  const words: Partial<Record<Level, string>> = {
    near: trans.__('Near'),
    full: trans.__('Full')
  };
  return words[level] ?? '';
}

export function resourceWord(trans: TranslationBundle, resource: Resource): string {
  const words: Record<Resource, string> = {
    gpu_hours: trans.__('GPU-hours this month'),
    jobs: trans.__('Jobs at once'),
    storage_bytes: trans.__('Storage'),
    endpoints: trans.__('Endpoints')
  };
  return words[resource] ?? resource;
}

/** What a field of a limit has in it: storage in gigabytes, nothing for no limit. */
export function limitText(limits: Limits, resource: Resource): string {
  const value = limits[resource];
  if (value === null || value === undefined) {
    return '';
  }
  return String(resource === 'storage_bytes' ? value / GB : value);
}

/** A field as a limit; undefined when it is none. */
export function parseLimit(text: string, resource: Resource): number | null | undefined {
  const plain = text.trim();
  if (!plain) {
    return null;
  }
  const value = Number(plain.replace(',', '.'));
  if (!Number.isFinite(value) || value < 0) {
    return undefined;
  }
  if (resource === 'storage_bytes') {
    return Math.round(value * GB);
  }
  return resource === 'gpu_hours' || Number.isInteger(value) ? value : undefined;
}
