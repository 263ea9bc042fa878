#!/usr/bin/env node
// What neither the linter nor dependency-cruiser can see: names of files, siblings, lengths, reasons.
// Usage: node tools/check-structure.mjs [root]. Prints one line per violation and exits with 1 when there is any.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const CODE_FOLDERS = ['src', 'test', 'prisma', 'bench', 'tools'];
const CODE_FILE = /\.(ts|cts|mts|js|cjs|mjs)$/;
const TEST_FILE = /^test\/|\.spec\.ts$/;

/** Lines, blank ones and comments included; the linter's max-lines (300) counts code alone. */
const MAX_LINES = 400;
/** A table of cases may be long. */
const MAX_TEST_LINES = 700;

const VAGUE_NAME = /^(utils?|helpers?|index|misc|base)\.|^base-|[.-](utils?|helpers?)\./;
const MIGRATION_NAME = /^\d{14}_[a-z]+(_[a-z0-9]+)+$/;

/**
 * @typedef {object} SourceFile
 * @property {string} name path below the root, with forward slashes
 * @property {string} text
 * @property {ts.SourceFile} tree
 */

/**
 * Each rule looks at one file and yields messages; `siblings` are the names in its folder.
 * @type {Record<string, (file: SourceFile, siblings: string[]) => Iterable<string>>}
 */
const fileRules = {
  *'file-name'({ name }) {
    if (VAGUE_NAME.test(path.posix.basename(name)))
      yield 'name the file after its one reason (and import from the file itself, no barrel)';
  },

  *'file-length'({ name, text }) {
    const lines = text.trimEnd().split('\n').length;
    const max = TEST_FILE.test(name) ? MAX_TEST_LINES : MAX_LINES;
    if (lines > max) yield `${lines} lines, at most ${max}: it has more than one reason`;
  },

  /**
   * `platform-audit-events.controller.ts` may be a second face of `audit-events.service.ts`; a controller that is given
   * nothing (it answers a constant) needs no service.
   */
  *'controller-siblings'({ name, tree }, siblings) {
    const stem = /([^/]+)\.controller\.ts$/.exec(name)?.[1];
    if (!stem) return;
    const services = siblings.filter((sibling) => sibling.endsWith('.service.ts')).map((sibling) => `-${sibling}`);
    const found = services.some((service) => `-${stem}.service.ts`.endsWith(service));
    if (!found && some(tree, ts.isConstructorDeclaration)) yield `stands without ${stem}.service.ts`;
    const module = `${path.posix.basename(path.posix.dirname(name))}.module.ts`;
    if (!siblings.includes(module)) yield `stands without ${module}`;
  },

  *'forward-ref'({ name, tree }) {
    if (name.startsWith('src/') && some(tree, (node) => ts.isIdentifier(node) && node.text === 'forwardRef')) {
      yield 'forwardRef hides a circle: move what both need to the left';
    }
  },

  *'process-env'({ name, tree }) {
    if (name.startsWith('src/') && !name.startsWith('src/config/') && some(tree, readsEnvironment)) {
      yield 'only src/config reads the environment: take Env';
    }
  },

  *'suppression-reason'({ tree }) {
    for (const comment of comments(tree)) {
      if (/@ts-(ignore|nocheck)\b/.test(comment))
        yield 'use @ts-expect-error with its reason, which fails once it is not needed';
      if (/@ts-expect-error(?![\s:-]+\S.{9,})/.test(comment)) yield '@ts-expect-error must say why';
      if (/\b(ox|es)lint-disable(?!.* -- .{10,})/.test(comment))
        yield 'a disabled rule must say why: oxlint-disable-next-line <rule> -- <reason>';
    }
  },
};

/** Whether the node is `process.env`, `process['env']`, or an import or require of the process module. */
function readsEnvironment(node) {
  if (ts.isPropertyAccessExpression(node)) return isProcess(node.expression) && node.name.text === 'env';
  if (ts.isElementAccessExpression(node)) return isProcess(node.expression);
  if (ts.isVariableDeclaration(node))
    return ts.isObjectBindingPattern(node.name) && !!node.initializer && isProcess(node.initializer);
  return ts.isStringLiteral(node) && /^(node:)?process$/.test(node.text) && !ts.isLiteralTypeNode(node.parent);
}

/** `process` or `globalThis.process` */
function isProcess(node) {
  return (
    (ts.isIdentifier(node) && node.text === 'process') ||
    (ts.isPropertyAccessExpression(node) && node.name.text === 'process')
  );
}

/** Whether the predicate holds for any node of the tree. */
function some(node, predicate) {
  return predicate(node) || (ts.forEachChild(node, (child) => some(child, predicate) || undefined) ?? false);
}

/** The text of every comment. Strings that look like comments are none. */
function* comments(tree, node = tree) {
  const children = node.getChildren(tree);
  for (const child of children) yield* comments(tree, child);
  if (children.length > 0) return;
  const start = node.getFullStart();
  const trailing = ts.getTrailingCommentRanges(tree.text, start) ?? [];
  const leading = ts.getLeadingCommentRanges(tree.text, start) ?? [];
  for (const { pos, end } of new Map([...trailing, ...leading].map((range) => [range.pos, range])).values()) {
    yield tree.text.slice(pos, end);
  }
}

/** All code files below a folder, sorted. */
function codeFiles(root, folder) {
  if (!existsSync(path.join(root, folder))) return [];
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => path.posix.join(folder, name.replaceAll(path.sep, '/')))
    .filter((name) => CODE_FILE.test(name) && statSync(path.join(root, name)).isFile())
    .toSorted();
}

/** @returns {Iterable<string>} violations of the names of migrations */
function* migrationViolations(root) {
  const folder = 'prisma/migrations';
  if (!existsSync(path.join(root, folder))) return;
  for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const name = `${folder}/${entry.name}`;
    if (!MIGRATION_NAME.test(entry.name)) yield `${name}: migration-name: must be <14 digits>_<verb_object>`;
    if (!existsSync(path.join(root, name, 'migration.sql'))) yield `${name}: migration-name: has no migration.sql`;
  }
}

/** @returns {string[]} each violation as `path: rule: message` */
function violations(root) {
  const found = [...migrationViolations(root)];
  for (const name of CODE_FOLDERS.flatMap((folder) => codeFiles(root, folder))) {
    const text = readFileSync(path.join(root, name), 'utf8');
    const tree = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
    const siblings = readdirSync(path.dirname(path.join(root, name)));
    for (const [rule, check] of Object.entries(fileRules)) {
      for (const message of check({ name, text, tree }, siblings)) found.push(`${name}: ${rule}: ${message}`);
    }
  }
  return found;
}

const found = violations(path.resolve(process.argv[2] ?? '.'));
for (const line of found) console.error(line);
if (found.length > 0) process.exitCode = 1;
else console.log('structure: nothing to object to');
