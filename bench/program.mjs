import { createRequire } from 'node:module';
import path from 'node:path';

export const ROOT = path.dirname(import.meta.dirname);
export const DIST = path.join(ROOT, 'dist');

const require = createRequire(import.meta.url);

/** A module of the built program, as `program('common/id')`. It is CommonJS, and there only after `npm run build`. */
export const program = (name) => require(path.join(DIST, `${name}.js`));

/** The very Fastify that Nest brings, so that both candidates stand on the same one. */
export const nestsFastify = () => createRequire(require.resolve('@nestjs/platform-fastify'))('fastify');
