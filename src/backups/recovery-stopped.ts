/** A step of the recovery procedure has found what must not serve, and nothing was swapped. The message says what and where it is. */
export class RecoveryStoppedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RecoveryStoppedError';
  }
}
