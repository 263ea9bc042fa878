import { announcement } from '../common/announcement';

/** Somebody tried to sign in. */
export interface SignInAttempted {
  /** `success`, or the code of the problem that was answered (docs/errors.md); `error` for a fault of ours. */
  result: string;
}

export const signInAttempted = announcement<SignInAttempted>('tenantry:auth.sign-in-attempted');
