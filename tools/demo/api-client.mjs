import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const MAX_TRIES = 5;
const DEFAULT_WAIT_SECONDS = 1;
const TRY_AGAIN = new Set([429, 503, 504]);
const PAGE_SIZE = 100;

/** What the API refused, in its own words. */
export class ApiError extends Error {
  /** @param {string} request @param {{ status: number, code: string, detail: string }} problem */
  constructor(request, problem) {
    super(`${request}: ${problem.status} ${problem.code}. ${problem.detail}`);
    this.code = problem.code;
    this.status = problem.status;
  }
}

/** A caller of Tenantry's API. Each POST has an Idempotency-Key, so that trying again is safe. */
export class ApiClient {
  /** @param {string} baseUrl @param {string} [accessToken] */
  constructor(baseUrl, accessToken) {
    this.baseUrl = baseUrl;
    this.accessToken = accessToken;
  }

  /** @param {string} email @param {string} password */
  async signIn(email, password) {
    const { accessToken } = await this.post('/v1/auth/login', { email, password });
    return new ApiClient(this.baseUrl, accessToken);
  }

  /** Every item of a list, page by page. */
  async *list(path) {
    const separator = path.includes('?') ? '&' : '?';
    let cursor = '';
    do {
      const page = await this.send('GET', `${path}${separator}limit=${PAGE_SIZE}${cursor}`);
      yield* page.data;
      cursor = page.page.nextCursor === null ? '' : `&cursor=${page.page.nextCursor}`;
    } while (cursor !== '');
  }

  post(path, body) {
    return this.send('POST', path, body, { 'idempotency-key': `demo-${randomUUID()}` });
  }

  put(path, body) {
    return this.send('PUT', path, body);
  }

  patch(path, body) {
    return this.send('PATCH', path, body);
  }

  /** @throws {ApiError} for every answer that is no success and stays so */
  async send(method, path, body, headers = {}) {
    const request = {
      method,
      headers: {
        ...headers,
        ...(this.accessToken && { authorization: `Bearer ${this.accessToken}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    };
    for (let tries = 1; ; tries += 1) {
      const response = await fetch(`${this.baseUrl}${path}`, request);
      if (response.ok) return response.status === 204 ? undefined : await response.json();
      if (!TRY_AGAIN.has(response.status) || tries === MAX_TRIES)
        throw new ApiError(`${method} ${path}`, await problemOf(response));
      await sleep(1000 * Number(response.headers.get('retry-after') ?? DEFAULT_WAIT_SECONDS));
    }
  }
}

/** Something else than Tenantry may answer: a proxy, another program on the port. */
async function problemOf(response) {
  const problem = await response.json().catch(() => ({}));
  return { code: 'unknown', detail: "The answer is not one of Tenantry's.", ...problem, status: response.status };
}
