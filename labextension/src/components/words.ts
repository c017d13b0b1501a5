import type { TranslationBundle } from '@jupyterlab/translation';

import type { Deployment, Job, Kind } from '../api/types';

export type Tone = 'ok' | 'busy' | 'warn' | 'bad' | 'idle';

const JOB_TONES: Record<Job['state'], Tone> = {
  queued: 'idle',
  starting: 'busy',
  running: 'busy',
  cancelling: 'warn',
  succeeded: 'ok',
  failed: 'bad',
  cancelled: 'warn',
  skipped: 'idle',
  lost: 'bad'
};

const ENDPOINT_TONES: Record<Deployment['state'], Tone> = {
  starting: 'busy',
  ready: 'ok',
  updating: 'busy',
  degraded: 'warn',
  failed: 'bad',
  stopped: 'idle'
};

export const jobTone = (state: Job['state']): Tone => JOB_TONES[state] ?? 'idle';
export const endpointTone = (state: Deployment['state']): Tone => ENDPOINT_TONES[state] ?? 'idle';

export function jobWord(trans: TranslationBundle, state: Job['state']): string {
  const words: Record<Job['state'], string> = {
    queued: trans.__('Waiting'),
    starting: trans.__('Starting'),
    running: trans.__('Running'),
    cancelling: trans.__('Stopping'),
    succeeded: trans.__('Done'),
    failed: trans.__('Failed'),
    cancelled: trans.__('Cancelled'),
    skipped: trans.__('Skipped'),
    lost: trans.__('Lost')
  };
  return words[state] ?? state;
}

export function endpointWord(trans: TranslationBundle, state: Deployment['state']): string {
  const words: Record<Deployment['state'], string> = {
    starting: trans.__('Starting'),
    ready: trans.__('Ready'),
    updating: trans.__('Updating'),
    degraded: trans.__('Degraded'),
    failed: trans.__('Failed'),
    stopped: trans.__('Stopped')
  };
  return words[state] ?? state;
}

export function kindWord(trans: TranslationBundle, kind: Kind): string {
  const words: Record<Kind, string> = {
    'text-classification': trans.__('Labelled texts'),
    'image-classification': trans.__('Labelled images'),
    tabular: trans.__('Table'),
    generic: trans.__('Any columns')
  };
  return words[kind] ?? kind;
}
