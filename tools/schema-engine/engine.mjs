import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);
const home = path.dirname(require.resolve('@prisma/schema-engine-wasm'));

/** The commit of the engine; it must be the one of the CLI (node_modules/prisma asks for it by name). */
export function engineVersion() {
  const { version } = require(path.join(home, 'package.json'));
  return version.split('.').pop();
}

/** Loads the wasm. The package is made for bundlers, so its two halves are joined here. */
export async function loadEngine() {
  const glue = await import(pathToFileURL(path.join(home, 'schema_engine_bg.js')).href);
  const wasm = await readFile(path.join(home, 'schema_engine_bg.wasm'));
  const { instance } = await WebAssembly.instantiate(wasm, { './schema_engine_bg.js': glue });
  glue.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  return glue.SchemaEngine;
}
