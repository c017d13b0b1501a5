import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { parseProblem, ProblemError } from './problem';

export type Query = Record<string, string | number | boolean | string[] | null | undefined>;

export interface IRequest {
  query?: Query;
  json?: unknown;
  body?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/**
 * Speaks HTTP to the platform through the Jupyter server's proxy.
 *
 * Every request goes through ServerConnection.makeRequest, which adds the token and the XSRF header.
 */
export class Client {
  /**
   * @param project that project-scoped paths are in; '' until it is known.
   * @param onRefused told when the platform says that this person may not.
   */
  constructor(
    readonly settings: ServerConnection.ISettings,
    public project = '',
    private readonly _onRefused: () => void = () => undefined
  ) {}

  /** URL of something the proxy serves, e.g. `mlflow/` or `api/v1/health`. */
  url(path: string): string {
    return URLExt.join(this.settings.baseUrl, 'dlsys', path);
  }

  /** Path below the project. */
  scoped(...parts: string[]): string {
    return ['projects', this.project, ...parts].map(encodeURIComponent).join('/');
  }

  /** Is a platform there to talk to? Asks the Jupyter server only and starts nothing. */
  async running(): Promise<boolean> {
    const { state } = await this._local();
    return state === 'running' || state === 'unknown';
  }

  /** The folder that Jupyter's paths start from; null where the platform is on another machine. */
  async root(): Promise<string | null> {
    return (await this._local()).root ?? null;
  }

  /** Send a request; a failure is thrown as ProblemError. */
  async send(method: string, path: string, options: IRequest = {}): Promise<Response> {
    const headers: Record<string, string> = { ...options.headers };
    const init: RequestInit = { method, headers, cache: 'no-store' };
    if (options.signal) {
      init.signal = options.signal;
    }
    if (options.json !== undefined) {
      headers['Content-Type'] = 'application/json';
      init.body = JSON.stringify(options.json);
    } else if (options.body !== undefined) {
      headers['Content-Type'] ??= 'application/octet-stream';
      init.body = options.body;
    }
    const url = this.url(`api/v1/${path}`) + queryString(options.query ?? {});
    const response = await this._reach(url, init);
    if (!response.ok) {
      if (response.status === 403) {
        this._onRefused();
      }
      throw new ProblemError(
        parseProblem(await response.text(), response.status, response.statusText)
      );
    }
    return response;
  }

  /** Send a request and read JSON. */
  async json<T>(method: string, path: string, options: IRequest = {}): Promise<T> {
    const response = await this.send(method, path, options);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  private async _local(): Promise<{ state?: string; root?: string }> {
    const response = await this._reach(this.url('local/status'), { cache: 'no-store' });
    return response.ok ? ((await response.json()) as { state?: string; root?: string }) : {};
  }

  private async _reach(url: string, init: RequestInit): Promise<Response> {
    try {
      return await ServerConnection.makeRequest(url, init, this.settings);
    } catch (error) {
      if (init.signal?.aborted) {
        throw error;
      }
      throw new ProblemError({
        ...parseProblem('', 0, ''),
        code: 'unreachable',
        detail: 'The Jupyter server did not answer.',
        hint: 'Check that JupyterLab is still running, then try again.'
      });
    }
  }
}

function queryString(query: Query): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== null && item !== undefined && item !== '') {
        search.append(key, String(item));
      }
    }
  }
  const text = search.toString();
  return text ? `?${text}` : '';
}
