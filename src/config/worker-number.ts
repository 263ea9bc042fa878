/** The variable in which a process learns which worker it is. */
const VARIABLE = 'TENANTRY_WORKER';

/** What the primary process adds to a worker's environment. */
export function workerVariables(number: number): NodeJS.ProcessEnv {
  return { [VARIABLE]: String(number) };
}

/** From 1 on; undefined: this process is none of several workers. */
export function readWorkerNumber({ [VARIABLE]: number }: NodeJS.ProcessEnv): number | undefined {
  return number === undefined ? undefined : Number(number);
}
