import { StartupError } from '../common/errors';

/** The value of an option that is a whole number. @throws StartupError when it is not, or is less than `least` */
export function numberOption(option: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least) return value;
  throw new StartupError(`${option} must be a whole number, ${least} or more.`);
}
