import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { catchError, from, mergeMap, type Observable, of } from 'rxjs';
import type { Caller } from '../access/actor';
import { ConflictError, DomainError, InvalidInputError, UnavailableError } from '../common/errors';
import { SecretBox } from '../config/secret-box';
import { type KeyedRequest, whileKeyed } from '../database/keyed-request';
import {
  IDEMPOTENCY_PURPOSE,
  IdempotencyRepository,
  type Reservation,
  type StoredAnswer,
} from './idempotency.repository';
import { ReservedKeys } from './reserved-keys';

const KEY_FORMAT = /^[\x21-\x7e]{1,255}$/;

/**
 * `Idempotency-Key` on any POST (draft-ietf-httpapi-idempotency-key-header-07): the same key and body give the same
 * answer, and the work is done once. Another body under the same key is refused. Keys belong to their caller.
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(
    private readonly keys: IdempotencyRepository,
    private readonly reservedKeys: ReservedKeys,
    private readonly box: SecretBox,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<FastifyRequest & { user?: Caller }>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const key = request.headers['idempotency-key'];
    if (request.method !== 'POST' || key === undefined) return next.handle();
    if (typeof key !== 'string' || !KEY_FORMAT.test(key)) {
      throw new InvalidInputError([
        {
          pointer: '/header/idempotency-key',
          code: 'invalid_idempotency_key',
          message: 'Idempotency-Key must be 1 to 255 visible ASCII characters.',
        },
      ]);
    }
    const route = request.url.split('?', 1)[0]!;
    const caller = request.user ? `account:${request.user.accountId}` : `address:${request.ip}`;
    const id = this.box.mac(IDEMPOTENCY_PURPOSE, JSON.stringify([caller, route, key]));
    const fingerprint = this.box.mac(IDEMPOTENCY_PURPOSE, JSON.stringify(request.body ?? null));
    const reservation = await this.reserve(id, fingerprint);
    if (!('reservedAt' in reservation)) return of(this.replay(reservation, fingerprint, reply));
    const keyed = { mayHaveWritten: false };
    return whileKeyed(keyed, () => next.handle()).pipe(
      mergeMap(async (body: unknown) => {
        await this.reservedKeys.complete(
          reservation,
          reply.statusCode,
          this.box.seal(IDEMPOTENCY_PURPOSE, Buffer.from(JSON.stringify(body ?? null))),
        );
        return body;
      }),
      catchError((error: unknown) => from(this.fail(reservation, keyed, error))),
    );
  }

  /** @returns what stands under the key already, unless it is ours now */
  private async reserve(
    id: Buffer<ArrayBuffer>,
    fingerprint: Buffer<ArrayBuffer>,
  ): Promise<Reservation | StoredAnswer> {
    let reservation: Reservation | undefined;
    try {
      await this.reservedKeys.settle(id);
      const stored = await this.keys.reserve(id, fingerprint, (made) => (reservation = made));
      return stored ?? reservation!;
    } catch (error) {
      if (reservation) void this.reservedKeys.release(reservation); // nothing was done under it
      throw error;
    }
  }

  private replay(stored: StoredAnswer, fingerprint: Buffer, reply: FastifyReply): unknown {
    if (!fingerprint.equals(stored.fingerprint)) {
      throw new InvalidInputError(
        [
          {
            pointer: '/header/idempotency-key',
            code: 'idempotency_key_reused',
            message: 'This Idempotency-Key was used with another body. Use a new one.',
          },
        ],
        'idempotency_key_reused',
      );
    }
    if (stored.status === null || !stored.sealedAnswer) {
      throw new ConflictError(
        'idempotency_key_in_use',
        'A request with this Idempotency-Key is running, or ended without our knowing how. Look whether it took effect.',
      );
    }
    void reply.status(stored.status).header('idempotency-replayed', 'true');
    return JSON.parse(this.box.open(IDEMPOTENCY_PURPOSE, stored.sealedAnswer).toString()) ?? undefined;
  }

  /** Where nothing can have happened the key is free again; where something may have, it stays taken. */
  private async fail(reservation: Reservation, { mayHaveWritten }: KeyedRequest, error: unknown): Promise<never> {
    const isRefusal = error instanceof DomainError && !(error instanceof UnavailableError);
    if (isRefusal || !mayHaveWritten) await this.reservedKeys.release(reservation);
    throw error;
  }
}
