import { isLoopback } from '../common/loopback';

/** A place in S3-compatible object storage. */
export interface BackupBucket {
  bucket: string;
  /** What every name in it begins with: empty, or ending in `/`. */
  prefix: string;
  /** Undefined: that of AWS for the region. */
  endpoint: string | undefined;
  region: string;
  /** Undefined: what the AWS SDK finds (role of the machine or the pod, AWS_* variables, ~/.aws). */
  credentials: { accessKeyId: string; secretAccessKey: string } | undefined;
  /** `https://endpoint/bucket/name` instead of `https://bucket.endpoint/name`. */
  forcePathStyle: boolean;
}

/** What servers other than AWS take when nobody has chosen one. */
const DEFAULT_REGION = 'us-east-1';
const BUCKET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$/;

/**
 * Reads BACKUP_S3_*.
 * @param values the environment, with its secrets in plain text
 * @param problems is told what is wrong: names, never values
 * @returns undefined when no bucket is set
 */
export function readBackupBucket(
  values: Readonly<Record<string, string>>,
  problems: string[],
): BackupBucket | undefined {
  const { BACKUP_S3_BUCKET: bucket, BACKUP_S3_ENDPOINT: endpoint, BACKUP_S3_REGION: region } = values;
  const { BACKUP_S3_ACCESS_KEY_ID: accessKeyId, BACKUP_S3_SECRET_ACCESS_KEY: secretAccessKey } = values;
  const { BACKUP_S3_FORCE_PATH_STYLE: pathStyle = 'false' } = values;
  if (bucket === undefined) return undefined;
  if (!BUCKET_NAME.test(bucket))
    problems.push('BACKUP_S3_BUCKET must be the name of a bucket, without s3:// and without a path (BACKUP_S3_PREFIX)');
  if (region === undefined && endpoint === undefined)
    problems.push(
      'BACKUP_S3_REGION must be set with BACKUP_S3_BUCKET; for storage that is not of AWS, BACKUP_S3_ENDPOINT',
    );
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined))
    problems.push('BACKUP_S3_ACCESS_KEY_ID and BACKUP_S3_SECRET_ACCESS_KEY must be set together');
  if (pathStyle !== 'true' && pathStyle !== 'false') problems.push('BACKUP_S3_FORCE_PATH_STYLE must be true or false');
  if (endpoint !== undefined) problems.push(...problemsOf(endpoint, values.NODE_ENV === 'production'));
  const prefix = (values.BACKUP_S3_PREFIX ?? '').replaceAll(/^\/+|\/+$/g, '');
  return {
    bucket,
    prefix: prefix && `${prefix}/`,
    endpoint,
    region: region ?? DEFAULT_REGION,
    credentials:
      accessKeyId !== undefined && secretAccessKey !== undefined ? { accessKeyId, secretAccessKey } : undefined,
    forcePathStyle: pathStyle === 'true',
  };
}

function problemsOf(endpoint: string, isProduction: boolean): string[] {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    return ['BACKUP_S3_ENDPOINT must be a URL such as https://s3.example.org'];
  if (url.username || url.password)
    return ['BACKUP_S3_ENDPOINT must hold no login: BACKUP_S3_ACCESS_KEY_ID and BACKUP_S3_SECRET_ACCESS_KEY do'];
  // The URL of an IPv6 address has it in brackets.
  if (isProduction && url.protocol === 'http:' && !isLoopback(url.hostname.replaceAll(/[[\]]/g, '')))
    return ['BACKUP_S3_ENDPOINT must begin with https:// in production, unless it is this machine itself'];
  return [];
}
