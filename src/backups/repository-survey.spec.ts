import { unbroken } from './repository-survey';

const span = (from: number, to: number) => ({
  backupId: String(from),
  timeline: 1,
  from: new Date(from),
  to: new Date(to),
  gap: undefined,
});
const covered = (...spans: [number, number][]): [number, number] | undefined => {
  const found = unbroken(spans.map(([from, to]) => span(from, to)));
  return found && [found.from.getTime(), found.to.getTime()];
};

describe('what can be restored', () => {
  it('is nothing without a backup', () => expect(covered()).toBeUndefined());

  it('reaches from the newest commit back as far as spans meet', () => {
    expect(covered([10, 90], [50, 90])).toEqual([10, 90]);
    expect(covered([10, 60], [50, 90])).toEqual([10, 90]);
  });

  it('does not reach over a hole', () => {
    expect(covered([10, 40], [50, 90])).toEqual([50, 90]);
    expect(covered([10, 40], [30, 45], [50, 70], [60, 90])).toEqual([50, 90]);
  });
});
