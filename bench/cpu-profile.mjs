// Reads a CPU profile of Node's (--cpu-prof) as a tree of calls.
import { readFileSync } from 'node:fs';

/**
 * @typedef {object} Frame a function with all its calls from the same place
 * @property {string} name
 * @property {string} owner whose code it is: a package, `Tenantry`, `node`, `garbage collection`
 * @property {string} where file and line
 * @property {number} self microseconds
 * @property {number} total with what it called
 * @property {Frame[]} children
 */

const WINDOW_MICROSECONDS = 100_000;
/** Of a window in which the process rests. */
const REST_SHARE = 0.9;

/**
 * What was on the CPU after the longest rest: the start and the first compilation lie before it, as the load generator and the
 * others start meanwhile. Idling is left out.
 * @returns {Frame}
 */
export function readProfile(file) {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8'));
  const idle = new Set(nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id));
  const selfTimes = new Map();
  for (let place = endOfLongestRest(samples, timeDeltas, idle); place < samples.length; place += 1) {
    const id = samples[place];
    if (!idle.has(id)) selfTimes.set(id, (selfTimes.get(id) ?? 0) + timeDeltas[place]);
  }
  const byId = new Map(nodes.map((node) => [node.id, node]));
  return frameOf([nodes[0]], undefined, { byId, selfTimes });
}

/** @returns {number} the place of the sample with which work goes on */
function endOfLongestRest(samples, timeDeltas, idle) {
  let [longest, end] = [0, 0];
  let [resting, idled, lasted] = [0, 0, 0];
  samples.forEach((id, place) => {
    lasted += timeDeltas[place];
    if (idle.has(id)) idled += timeDeltas[place];
    if (lasted < WINDOW_MICROSECONDS) return;
    if (idled >= lasted * REST_SHARE) {
      resting += 1;
    } else {
      if (resting > longest) [longest, end] = [resting, place];
      resting = 0;
    }
    [idled, lasted] = [0, 0];
  });
  return end;
}

/** Nodes of the same function with the same callers, as one. */
function frameOf(nodes, parent, profile) {
  const { byId, selfTimes } = profile;
  const { functionName, url, lineNumber } = nodes[0].callFrame;
  const frame = {
    name: functionName || '(anonymous)',
    owner: ownerOf(nodes[0].callFrame, parent),
    where: url && `${url.replace(/^file:\/\/.*?\/((?:node_modules|dist)\/)/, '$1')}:${lineNumber + 1}`,
    self: nodes.reduce((sum, { id }) => sum + (selfTimes.get(id) ?? 0), 0),
  };
  const called = new Map();
  for (const child of nodes.flatMap(({ children = [] }) => children).map((id) => byId.get(id))) {
    const key = keyOf(child);
    called.set(key, [...(called.get(key) ?? []), child]);
  }
  frame.children = [...called.values()].map((same) => frameOf(same, frame, profile));
  frame.total = frame.self + frame.children.reduce((sum, { total }) => sum + total, 0);
  return frame;
}

const keyOf = ({ callFrame: { functionName, url, lineNumber, columnNumber } }) =>
  `${functionName} ${url}:${lineNumber}:${columnNumber}`;

/** Native code and WebAssembly belong to whoever calls them. */
function ownerOf({ functionName, url }, parent) {
  if (functionName === '(garbage collector)') return 'garbage collection';
  const installed = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url);
  if (installed) return installed[1];
  if (url.startsWith('node:')) return 'node';
  if (url.includes('/dist/')) return 'Tenantry';
  return parent?.owner ?? 'node';
}
