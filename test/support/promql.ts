/** A series as an expression names it, with the labels that its matchers name. */
export interface Selector {
  metric: string;
  labels: string[];
}

/** Words that are neither a metric nor a function (Prometheus manual, "Operators"). */
const KEYWORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan', 'start', 'end', 'atan2']);
const GROUPING = /\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;
const STRING = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g;
/** A range or its step: `[5m]`, `[$__rate_interval]`. */
const RANGE = /\[[^\]]*\]/g;
const NAME = /(?<![\w:$])([a-zA-Z_:][\w:]*)\s*(\{[^}]*\}|\()?/g;

/**
 * The series that a PromQL expression names. It does not check the expression (promtool does), and takes it that braces are
 * preceded by a metric's name.
 */
export function selectorsIn(expression: string): Selector[] {
  const bare = withoutWords(expression).replaceAll(GROUPING, ' ');
  return [...bare.matchAll(NAME)]
    .filter(([, name, after]) => after !== '(' && !KEYWORDS.has(name!.toLowerCase()))
    .map(([, metric, matchers = '']) => ({
      metric: metric!,
      labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map((match) => match[1]!),
    }));
}

/** The labels by which it groups and matches. */
export function groupingsIn(expression: string): string[] {
  return [...withoutWords(expression).matchAll(GROUPING)].flatMap(([, , list]) => list!.match(/\w+/g) ?? []);
}

function withoutWords(expression: string): string {
  return expression.replaceAll(STRING, '""').replaceAll(RANGE, ' ');
}
