import type { ToPrimary } from './messages';

/** Resolves when it is told. A primary that is gone hears nothing, and this process ends with it. */
export function tellPrimary(message: ToPrimary): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
}
