/** Of orchestrators, operators and readers of the documents: they say nothing about how callers fare. */
const OPERATIONAL = /^\/(health|metrics|docs|openapi\.(json|yaml))(\/|$)/;

/** @param route the template; undefined when none matched */
export function isOperational(route: string | undefined): boolean {
  return route !== undefined && OPERATIONAL.test(route);
}
