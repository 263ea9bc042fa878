import { existsSync } from 'node:fs';

/** Reads `.env` in the working directory, when there is one; what the environment has already stays. */
export function loadDotEnv(): void {
  if (existsSync('.env')) process.loadEnvFile('.env');
}
