import { filterOf } from '../models/auditModel';
import type { IQuestion } from '../models/auditModel';
import type { ICopies } from './copyMenu';
import { pythonLiteral, quote } from './literals';

const OPTIONS = {
  project: '--in',
  actor: '--who',
  operation: '--what',
  outcome: '--outcome',
  since: '--since',
  until: '--until',
  text: '--text'
} as const;
type Key = keyof typeof OPTIONS;

/** The question to the log, said to each door. */
export function auditCopies(question: IQuestion): ICopies {
  const wanted = filterOf(question);
  const ago = question.within && question.within !== 'between' ? question.within : '';
  const given = (Object.keys(OPTIONS) as Key[]).flatMap(key => {
    const value = wanted[key];
    return value ? [[key, value] as const] : [];
  });
  const words = given.map(
    ([key, value]) => `${OPTIONS[key]} ${quote(key === 'since' && ago ? ago : value)}`
  );
  const line = ['audit list', ...words].join(' ');
  const timed = given.some(([key]) => key === 'since' || key === 'until');
  const pythonArguments = given.map(([key, value]) =>
    key === 'since' || key === 'until'
      ? `${key}=datetime.fromisoformat(${pythonLiteral(value.replace('Z', '+00:00'))})`
      : `${key}=${pythonLiteral(value)}`
  );
  return {
    magic: `%dlsys ${line}`,
    cli: `dlsys ${line}`,
    python: [
      ...(timed ? ['from datetime import datetime', ''] : []),
      'import jupyter_dlsys as dlsys',
      '',
      `dlsys.connect().audit.list(${pythonArguments.join(', ')})`
    ].join('\n')
  };
}
