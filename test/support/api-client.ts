import { STATUS_CODES } from 'node:http';
import request, { type Response, type Test } from 'supertest';
import type { Recorder } from './recorder';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
export type Headers = Readonly<Record<string, string>>;

/** Where requests go, and who looks at the answers. */
export interface ApiTarget {
  url: string;
  recorder: Recorder;
}

/** An answer. Its body is parsed; undefined when there is none. */
export class ApiResponse<Body = Response['body']> {
  constructor(
    private readonly sent: { method: Method; path: string },
    readonly status: number,
    readonly headers: Response['headers'],
    readonly contentType: string | undefined,
    readonly body: Body,
  ) {}

  /** Asserts the whole shape of a problem (RFC 9457), with this status and this code. */
  expectProblem(status: number, code: string): this {
    expect({ status: this.status, contentType: this.contentType, body: this.body }).toEqual({
      status,
      contentType: 'application/problem+json',
      body: {
        type: `urn:tenantry:problem:${code}`,
        title: STATUS_CODES[status],
        status,
        detail: expect.stringMatching(/\S/) as string,
        instance: this.sent.path,
        code,
        requestId: this.headers['x-request-id'],
        ...('errors' in (this.body as object) && {
          errors: expect.arrayContaining([
            {
              pointer: expect.stringMatching(/^(\/|$)/) as string,
              code: expect.stringMatching(/^[a-z][a-z0-9_]*$/) as string,
              message: expect.stringMatching(/\S/) as string,
            },
          ]) as unknown,
        }),
      },
    });
    return this;
  }
}

/** A request to be: add to it, say what you expect, and await it. It is sent once. */
export class ApiCall<Body = Response['body']> implements PromiseLike<ApiResponse<Body>> {
  private readonly expectations: ((response: ApiResponse<Body>) => void)[] = [];
  private readonly made: { awaited(): void };
  private readonly place = new Error('The call was made here');
  private answer: Promise<ApiResponse<Body>> | undefined;

  constructor(
    private readonly target: ApiTarget,
    private readonly method: Method,
    private readonly path: string,
    private readonly test: Test,
  ) {
    this.made = target.recorder.callMade(`${method} ${path}`);
  }

  set(header: string, value: string): this {
    void this.test.set(header, value);
    return this;
  }

  query(parameters: Record<string, string | number | boolean>): this {
    void this.test.query(parameters);
    return this;
  }

  /** @param body the whole body, where it is given */
  expect(status: number, body?: unknown): this {
    this.expectations.push((response) => {
      const { status: actual } = response;
      expect({ status: actual, ...(actual !== status && { body: response.body }) }).toEqual({ status });
      if (body !== undefined) expect(response.body).toEqual(body);
    });
    return this;
  }

  /** A problem (RFC 9457) in its full shape. */
  expectProblem(status: number, code: string): this {
    this.expectations.push((response) => response.expectProblem(status, code));
    return this;
  }

  // A call is awaited like a promise; it only has to be sent late enough for set() and expect().
  // oxlint-disable-next-line unicorn/no-thenable -- supertest's own requests are thenables, too
  then<Fulfilled = ApiResponse<Body>, Rejected = never>(
    onFulfilled?: ((response: ApiResponse<Body>) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    this.made.awaited();
    this.answer ??= this.send();
    return this.answer.then(onFulfilled, onRejected);
  }

  private async send(): Promise<ApiResponse<Body>> {
    const raw = await this.test.ok(() => true);
    const path = this.path.split('?', 1)[0]!;
    const isEmpty = raw.text === undefined || raw.text === '';
    const contentType = isEmpty ? undefined : raw.headers['content-type']?.split(';', 1)[0];
    const isJson = contentType === 'application/json' || contentType === 'application/problem+json';
    const body = (isJson ? JSON.parse(raw.text) : raw.text || undefined) as Body;
    const response = new ApiResponse<Body>({ method: this.method, path }, raw.status, raw.headers, contentType, body);
    try {
      expect(response.headers).toMatchObject({ 'x-request-id': expect.stringMatching(/\S/) as string });
      if (response.status >= 400)
        expect({ status: response.status, contentType }).toEqual({
          status: response.status,
          contentType: 'application/problem+json',
        });
      this.target.recorder.record({ method: this.method, path, status: response.status, contentType, body });
      for (const assert of this.expectations) assert(response);
    } catch (error) {
      throw this.pointToCaller(error);
    }
    return response;
  }

  /** Jest shows where a failed call was made, not where its answer was looked at. */
  private pointToCaller(error: unknown): unknown {
    const frames = this.place.stack
      ?.split('\n')
      .slice(1)
      .filter((frame) => !frame.includes(__filename));
    if (error instanceof Error && frames) error.stack = `${error.message}\n${frames.join('\n')}`;
    return error;
  }
}

/**
 * Calls the API as one caller. Every answer must have a request id, be JSON or a problem, and be as the OpenAPI document
 * says (recorder.ts); nothing has to be done for that.
 */
export class ApiClient {
  constructor(
    readonly target: ApiTarget,
    protected readonly headers: Headers,
  ) {}

  get<Body = Response['body']>(path: string): ApiCall<Body> {
    return this.request('GET', path);
  }

  post<Body = Response['body']>(path: string, body?: unknown): ApiCall<Body> {
    return this.request('POST', path, body);
  }

  put<Body = Response['body']>(path: string, body?: unknown): ApiCall<Body> {
    return this.request('PUT', path, body);
  }

  patch<Body = Response['body']>(path: string, body?: unknown): ApiCall<Body> {
    return this.request('PATCH', path, body);
  }

  delete<Body = Response['body']>(path: string): ApiCall<Body> {
    return this.request('DELETE', path);
  }

  request<Body = Response['body']>(method: Method, path: string, body?: unknown): ApiCall<Body> {
    const verb = method.toLowerCase() as Lowercase<Method>;
    const test = request(this.target.url)[verb](path).redirects(0).set(this.headers);
    if (body !== undefined) void test.send(body as object);
    return new ApiCall<Body>(this.target, method, path, test);
  }

  /** The same caller with other headers, too. */
  with(headers: Headers): ApiClient {
    return new ApiClient(this.target, { ...this.headers, ...headers });
  }

  /** The same caller, with the same token, at another instance. */
  at(instance: { target: ApiTarget }): ApiClient {
    return new ApiClient(instance.target, this.headers);
  }
}
