import { parseExposition, seriesOf } from '../support/exposition';

const COUNTER = '# HELP a_total What a is.\n# TYPE a_total counter\n';
const HISTOGRAM = '# HELP h Time.\n# TYPE h histogram\n';

describe('parseExposition', () => {
  it('reads families, labels and values', () => {
    const text = `${COUNTER}a_total{x="1",y="say \\"hi\\"\\n"} 2\n\n${HISTOGRAM}h_bucket{le="0.5"} 1\nh_bucket{le="+Inf"} 3\nh_sum 1e-7\nh_count 3\n`;
    const families = parseExposition(text);
    expect(families.get('a_total')).toEqual({
      name: 'a_total',
      help: 'What a is.',
      type: 'counter',
      samples: [{ name: 'a_total', labels: { x: '1', y: 'say "hi"\n' }, value: 2 }],
    });
    expect(families.get('h')!.samples.map(seriesOf)).toEqual([
      'h_bucket{le="0.5"}',
      'h_bucket{le="+Inf"}',
      'h_sum{}',
      'h_count{}',
    ]);
  });

  it.each([
    ['a sample without a family', 'a_total 1\n'],
    ['a family without HELP', '# TYPE a_total counter\na_total 1\n'],
    ['an empty HELP', '# HELP a_total \n# TYPE a_total counter\na_total 1\n'],
    ['an unknown type', '# HELP a A.\n# TYPE a number\na 1\n'],
    ['a family that comes twice', `${COUNTER}a_total 1\n${COUNTER}a_total 2\n`],
    ['a sample of another family', `${COUNTER}b_total 1\n`],
    ['a series that comes twice', `${COUNTER}a_total{x="1",y="2"} 1\na_total{y="2",x="1"} 1\n`],
    ['a label that comes twice', `${COUNTER}a_total{x="1",x="2"} 1\n`],
    ['a label without quotes', `${COUNTER}a_total{x=1} 1\n`],
    ['a value that is none', `${COUNTER}a_total one\n`],
    ['a counter of another name', '# HELP a A.\n# TYPE a counter\na 1\n'],
    ['a negative counter', `${COUNTER}a_total -1\n`],
    ['a counter that is no number', `${COUNTER}a_total NaN\n`],
    ['buckets that fall', `${HISTOGRAM}h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`],
    ['buckets without an end', `${HISTOGRAM}h_bucket{le="1"} 2\nh_sum 1\nh_count 2\n`],
    ['a count that is not that of the buckets', `${HISTOGRAM}h_bucket{le="+Inf"} 2\nh_sum 1\nh_count 3\n`],
    ['no end of the last line', `${COUNTER}a_total 1`],
  ])('refuses %s', (_, text) => {
    expect(() => parseExposition(text)).toThrow();
  });
});
