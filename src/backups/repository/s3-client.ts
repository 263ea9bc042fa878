import { S3Client, type S3ServiceException } from '@aws-sdk/client-s3';
import type { BackupBucket } from '../../config/backup-bucket';
import { RepositoryFailedError } from './repository';

/** How long a server may take. */
export interface S3Limits {
  connectTimeoutMs: number;
  /** Without a byte in either direction. */
  idleTimeoutMs: number;
  /** Of each request, the first included; of a download, in a row without a byte. */
  attempts: number;
}

/** What the server refused, or why it was not reached. */
export class S3FailedError extends RepositoryFailedError {
  constructor(
    description: string,
    /** Such as `NoSuchKey`. */
    readonly code: string,
    /** Of HTTP; undefined: no answer came. */
    readonly status: number | undefined,
    message: string,
  ) {
    super(description, message === '' ? code : `${code}: ${message}`);
  }
}

/** A client whose every failure is an S3FailedError: the SDK's errors hold requests, with headers that are secret. */
export function openS3Client(place: BackupBucket, description: string, limits: S3Limits): S3Client {
  const client = new S3Client({
    region: place.region,
    forcePathStyle: place.forcePathStyle,
    ...(place.endpoint !== undefined && { endpoint: place.endpoint }),
    ...(place.credentials && { credentials: place.credentials }),
    maxAttempts: limits.attempts,
    requestHandler: { connectionTimeout: limits.connectTimeoutMs, socketTimeout: limits.idleTimeoutMs },
    // Not every server of this protocol knows these checksums; ours is in the manifest.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  client.middlewareStack.add(
    (next) => async (call) => {
      try {
        return await next(call);
      } catch (error) {
        throw failure(description, error as Partial<S3ServiceException> & NodeJS.ErrnoException);
      }
    },
    { step: 'initialize', priority: 'high', name: 'tenantryFailures' }, // outside of all others, the retries included
  );
  return client;
}

function failure(
  description: string,
  { name, code, message, $metadata }: Partial<S3ServiceException> & NodeJS.ErrnoException,
): S3FailedError {
  return new S3FailedError(description, code ?? name ?? 'Error', $metadata?.httpStatusCode, message ?? '');
}
