import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { ROOT } from '../source-tree';

/** A code that src/ throws. */
export interface ThrownProblem {
  code: string;
  /** The class of common/errors.ts. */
  kind: string;
  /** Where, below the root. */
  file: string;
}

/** What src/ says, in its syntax. */
export interface Sayings {
  thrown: ThrownProblem[];
  /** Every text, templates as patterns: the words of the problems are among them. */
  texts: RegExp[];
}

/** It repeats what others say. */
const CATALOGUE = 'src/http/problem-catalogue.ts';

const KINDS =
  /^(Unauthenticated|Forbidden|NotFound|Conflict|InvalidInput|Precondition\w+|TooManyRequests|Unavailable)Error$/;

/**
 * Every problem that src/ throws: `new XError('code', …)`, `super('code', …)` and the defaults of a class of the family,
 * `new InvalidInputError([…], 'code')`, and the rules given to `asConflict`.
 */
export function readSayings(): Sayings {
  const files = readdirSync(path.join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .map((name) => path.posix.join('src', name.replaceAll(path.sep, '/')))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts') && file !== CATALOGUE)
    .map((file) => ({ file, nodes: nodesOf(file) }));
  return {
    thrown: files.flatMap(({ file, nodes }) => {
      const hasConflictRules = nodes.some(
        (node) => ts.isCallExpression(node) && node.expression.getText() === 'asConflict',
      );
      const found = nodes.flatMap((node) => [...thrownBy(node), ...(hasConflictRules ? conflictRule(node) : [])]);
      return found.map((problem) => ({ ...problem, file }));
    }),
    texts: files.flatMap(({ nodes }) => nodes.flatMap((node) => patternOf(node) ?? [])),
  };
}

type Found = Pick<ThrownProblem, 'code' | 'kind'>;

function thrownBy(node: ts.Node): Found[] {
  // The class itself knows the code of NotFoundError; its parameter says what there is not.
  if (ts.isNewExpression(node) && node.expression.getText() === 'NotFoundError') return [];
  if (ts.isNewExpression(node)) return coded(node.expression.getText(), node.arguments ?? []);
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.SuperKeyword) {
    return coded(familyOf(node), node.arguments);
  }
  if (ts.isParameter(node) && node.name.getText() === 'code' && node.initializer) {
    return coded(familyOf(node), [node.initializer]);
  }
  return [];
}

function coded(kind: string, parameters: readonly ts.Expression[]): Found[] {
  const parameter = parameters.find((candidate) => ts.isStringLiteral(candidate));
  return KINDS.test(kind) && parameter ? [{ kind, code: parameter.text }] : [];
}

/** The class that a constructor's code belongs to: of the family itself, or what a class elsewhere extends. */
function familyOf(node: ts.Node): string {
  let at = node;
  while (!ts.isClassLike(at)) at = at.parent;
  const name = at.name?.text ?? '';
  return KINDS.test(name) ? name : (at.heritageClauses?.[0]?.types[0]?.expression.getText() ?? '');
}

/** `{ code, pointer, message }` outside of an error's own list. */
function conflictRule(node: ts.Node): Found[] {
  if (!ts.isObjectLiteralExpression(node)) return [];
  for (let at: ts.Node = node; !ts.isSourceFile(at); at = at.parent) if (ts.isNewExpression(at)) return [];
  const values = new Map(
    node.properties.flatMap((property) =>
      ts.isPropertyAssignment(property) ? [[property.name.getText(), property.initializer] as const] : [],
    ),
  );
  const code = values.get('code');
  return code && ts.isStringLiteral(code) && values.has('pointer') ? [{ kind: 'ConflictError', code: code.text }] : [];
}

/** A text as a pattern: what a template puts in may be anything. */
function patternOf(node: ts.Node): RegExp | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return exactly([node.text]);
  if (ts.isTemplateExpression(node))
    return exactly([node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)]);
  return undefined;
}

const exactly = (parts: string[]): RegExp => new RegExp(`^${parts.map(escape).join('.*')}$`, 's');
const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

function nodesOf(file: string): ts.Node[] {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  const nodes: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    nodes.push(node);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return nodes;
}
