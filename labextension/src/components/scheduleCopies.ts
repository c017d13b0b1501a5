import type { Schedule } from '../api/types';
import type { ISubmitValue } from '../models/submission';
import type { ICopies } from './copyMenu';
import type { IPlan } from './scheduleForm';
import { pythonLiteral, quote } from './literals';
import { pythonArguments, submitWords } from './submitCopies';

/** The schedule to be made, said to each door. */
export function scheduleCopies(path: string, plan: IPlan, value: ISubmitValue): ICopies {
  const [file = '', ...options] = submitWords(path, { ...value, name: plan.name });
  const words = [
    'schedules create',
    file,
    `--cron ${quote(plan.cron)}`,
    `--tz ${quote(plan.timezone)}`,
    ...(plan.follow ? ['--follow'] : []),
    ...(plan.missed === 'last' ? [] : [`--missed ${plan.missed}`]),
    ...(plan.overlap === 'queue' ? [] : [`--overlap ${plan.overlap}`]),
    ...options
  ].join(' ');
  const [source = '', ...given] = pythonArguments(path, { ...value, name: plan.name });
  const python = [
    source,
    `cron=${pythonLiteral(plan.cron)}`,
    `timezone=${pythonLiteral(plan.timezone)}`,
    ...(plan.follow ? ['follow=True'] : []),
    ...(plan.missed === 'last' ? [] : [`missed=${pythonLiteral(plan.missed)}`]),
    ...(plan.overlap === 'queue' ? [] : [`overlap=${pythonLiteral(plan.overlap)}`]),
    ...given
  ].join(', ');
  return {
    magic: `%dlsys ${words}`,
    cli: `dlsys ${words}`,
    python: `import jupyter_dlsys as dlsys\n\ndlsys.connect().schedules.create(${python})`
  };
}

/** A schedule that exists, said to each door. */
export function showCopies({ id }: Schedule): ICopies {
  return {
    magic: `%dlsys schedules show ${id}`,
    cli: `dlsys schedules show ${id}`,
    python: `import jupyter_dlsys as dlsys\n\ndlsys.connect().schedules.show("${id}")`
  };
}
