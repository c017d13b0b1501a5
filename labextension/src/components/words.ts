import type { TranslationBundle } from '@jupyterlab/translation';

import type {
  Deployment,
  Firing,
  Job,
  Kind,
  Outcome,
  PartState,
  Schedule,
  ServiceToken,
  TokenScope
} from '../api/types';

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

/** Which way an attempt was started, and why that one. */
export function startWord(trans: TranslationBundle, start: Job['start']): string {
  if (!start) {
    return '';
  }
  const words = {
    parked: trans.__('from a parked kernel'),
    forked: trans.__('forked from a warm process'),
    cold: trans.__('cold')
  };
  return [words[start.mode], start.reason].filter(Boolean).join(': ');
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

type TokenState = NonNullable<ServiceToken['state']>;

const TOKEN_TONES: Record<TokenState, Tone> = { active: 'ok', expired: 'idle', powerless: 'warn' };

export const tokenTone = (state: TokenState): Tone => TOKEN_TONES[state] ?? 'idle';

/** What a program with such a token can do, for people. */
export function scopeWord(trans: TranslationBundle, scope: TokenScope): string {
  const words: Record<TokenScope, string> = {
    read: trans.__('see data, jobs and models'),
    predict: trans.__('ask endpoints'),
    write: trans.__('commit and change data'),
    submit: trans.__('run jobs'),
    deploy: trans.__('deploy models')
  };
  return words[scope] ?? scope;
}

export function tokenWord(trans: TranslationBundle, state: TokenState): string {
  const words: Record<TokenState, string> = {
    active: trans.__('Valid'),
    expired: trans.__('Expired'),
    powerless: trans.__('Its owner lost the right')
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

const FIRING_TONES: Record<Firing['state'], Tone> = {
  pending: 'idle',
  submitted: 'busy',
  skipped: 'warn',
  failed: 'bad'
};

export const firingTone = (state: Firing['state']): Tone => FIRING_TONES[state] ?? 'idle';

export function firingWord(trans: TranslationBundle, state: Firing['state']): string {
  const words: Record<Firing['state'], string> = {
    pending: trans.__('Waiting'),
    submitted: trans.__('Submitted'),
    skipped: trans.__('Left out'),
    failed: trans.__('Failed')
  };
  return words[state] ?? state;
}

export function missedWord(trans: TranslationBundle, policy: Schedule['missed']): string {
  const words: Record<Schedule['missed'], string> = {
    last: trans.__('run once, for the last of them'),
    all: trans.__('run once for each of them'),
    skip: trans.__('leave them out')
  };
  return words[policy] ?? policy;
}

export function overlapWord(trans: TranslationBundle, policy: Schedule['overlap']): string {
  const words: Record<Schedule['overlap'], string> = {
    queue: trans.__('wait until it has ended'),
    skip: trans.__('leave this time out'),
    replace: trans.__('stop it and start the new one')
  };
  return words[policy] ?? policy;
}

const PART_TONES: Record<PartState, Tone> = {
  ok: 'ok',
  starting: 'busy',
  degraded: 'warn',
  failed: 'bad',
  off: 'idle'
};

export const partTone = (state: PartState): Tone => PART_TONES[state] ?? 'idle';

export function partWord(trans: TranslationBundle, state: PartState): string {
  const words: Record<PartState, string> = {
    ok: trans.__('Ready'),
    starting: trans.__('Starting'),
    degraded: trans.__('Degraded'),
    failed: trans.__('Failed'),
    off: trans.__('Off')
  };
  return words[state] ?? state;
}

const OUTCOME_TONES: Record<Outcome, Tone> = { allowed: 'ok', refused: 'bad', failed: 'warn' };

export const outcomeTone = (outcome: Outcome): Tone => OUTCOME_TONES[outcome] ?? 'idle';

/** What came of an operation that the audit log has. */
export function outcomeWord(trans: TranslationBundle, outcome: Outcome): string {
  const words: Record<Outcome, string> = {
    allowed: trans.__('Allowed'),
    refused: trans.__('Refused'),
    failed: trans.__('Failed')
  };
  return words[outcome] ?? outcome;
}
