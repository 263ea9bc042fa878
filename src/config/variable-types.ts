import { availableParallelism } from 'node:os';
import { Transform } from 'class-transformer';

/*
 * A variable's text as what it stands for. What does not stand for it stays a text, for the validator to refuse.
 */

export const toInt = Transform(({ value }) =>
  typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : (value as unknown),
);
export const toWorkers = Transform(({ value }) => {
  if (value === 'auto') return availableParallelism();
  return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : (value as unknown);
});
export const toNumber = Transform(({ value }) =>
  typeof value === 'string' && /^\d*\.?\d+$/.test(value) ? Number(value) : (value as unknown),
);
export const toBoolean = Transform(({ value }) =>
  value === 'true' || value === 'false' ? value === 'true' : (value as unknown),
);
export const toList = Transform(({ value }) =>
  typeof value === 'string'
    ? value
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean)
    : (value as unknown),
);
