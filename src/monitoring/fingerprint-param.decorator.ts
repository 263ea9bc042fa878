import { Param, type PipeTransform } from '@nestjs/common';
import { ApiParam } from '@nestjs/swagger';
import { InvalidInputError } from '../common/errors';

/** PostgreSQL's `queryid`: a hash, 64 bits with a sign. One of fewer than six digits comes once in 10^13 statements. */
const FINGERPRINT = /^-?[1-9]\d{5,18}$/;

const isFingerprint: PipeTransform = {
  transform(value: unknown) {
    if (typeof value === 'string' && FINGERPRINT.test(value)) return value;
    const message = 'fingerprint must be the queryid of a statement.';
    throw new InvalidInputError([{ pointer: '/path/fingerprint', code: 'is_fingerprint', message }]);
  },
};

/** The `{fingerprint}` of a statement in the path. */
export function FingerprintParam(): ParameterDecorator {
  return (target, property, index) => {
    Param('fingerprint', isFingerprint)(target, property, index);
    const method = Object.getOwnPropertyDescriptor(target, property!) as PropertyDescriptor;
    const schema = { type: 'string', pattern: FINGERPRINT.source, example: '-4213366187425716201' } as const;
    ApiParam({ name: 'fingerprint', schema })(target, property!, method);
  };
}
