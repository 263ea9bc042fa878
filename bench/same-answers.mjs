import { isDeepStrictEqual } from 'node:util';
import { candidatesOf, orderOf } from './candidates.mjs';

/**
 * A race between some that do different things would tell nothing.
 * @param {(name: string, error: Error) => void} onDifference
 * @returns {Promise<import('./cases.mjs').Case[]>} the cases that all answer alike
 */
export async function casesAnsweredAlike(cases, servers, targets, onDifference) {
  const alike = [];
  for (const oneCase of cases) {
    try {
      await assertSameAnswers(oneCase, servers, targets);
      alike.push(oneCase);
    } catch (error) {
      onDifference(oneCase.name, error);
    }
  }
  return alike;
}

async function assertSameAnswers(oneCase, servers, targets) {
  const { name, sameAnswer } = oneCase;
  const shared = oneCase.request(targets);
  const answers = [];
  for (const candidate of candidatesOf(oneCase)) {
    const { request, status, isRight } = orderOf(name, candidate);
    const isCompared = sameAnswer && candidate !== 'betterAuth'; // it has a form of its own
    // Those compared are asked the same; but only one of them may create a user.
    const { path: target, ...content } = isCompared ? shared : request(targets);
    const response = await fetch(`${servers[candidate].url}${target}`, content);
    const text = await response.text();
    if (response.status !== status) throw new Error(`${name}: ${candidate} answers ${response.status}: ${text}`);
    if (isCompared) answers.push(JSON.parse(text));
    if (isRight && !isRight(JSON.parse(text))) throw new Error(`${name}: ${candidate} answers ${text}`);
  }
  if (!answers.every((answer) => isDeepStrictEqual(answer, answers[0]))) {
    throw new Error(`${name}: the answers differ.\n${answers.map((answer) => JSON.stringify(answer)).join('\n')}`);
  }
}
