import type { FieldProblem, Problem } from './types';

/** An answer of the platform that is no success: what happened and what to do next. */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
    this.name = 'ProblemError';
  }

  get status(): number {
    return this.problem.status;
  }

  get hint(): string {
    return this.problem.hint;
  }

  get errors(): FieldProblem[] {
    return this.problem.errors ?? [];
  }

  /** Nothing answered: the platform starts, restarts or is gone. */
  get unavailable(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

/** Any thrown value as a problem. */
export function toProblem(error: unknown): Problem {
  if (error instanceof ProblemError) {
    return error.problem;
  }
  return {
    type: 'about:blank',
    title: 'Error',
    status: 0,
    code: 'client-error',
    detail: error instanceof Error ? error.message : String(error),
    hint: '',
    errors: [],
    request_id: null
  };
}

/** The body of a failed response as a problem, whoever wrote it (platform, proxy, server). */
export function parseProblem(text: string, status: number, statusText: string): Problem {
  let body: Partial<Problem> & { message?: string } = {};
  try {
    const parsed: unknown = JSON.parse(text);
    body = parsed && typeof parsed === 'object' ? (parsed as typeof body) : {};
  } catch {
    // not JSON: the status line has to do
  }
  return {
    type: body.type ?? 'about:blank',
    title: body.title ?? statusText,
    status,
    code: body.code ?? 'http-error',
    detail: body.detail ?? body.message ?? (statusText || `HTTP ${status}`),
    hint: body.hint ?? '',
    errors: body.errors ?? [],
    request_id: body.request_id ?? null
  };
}
