import { bar, columns, formatBytes, formatDuration, formatGrowth, plain, sparkline } from './terminal-text';

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 kB'],
    [1024 ** 2 - 1, '1.0 MB'],
    [-3.5 * 1024 ** 3, '-3.5 GB'],
    [1024 ** 6, '1024.0 PB'],
  ])('%d is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe('formatGrowth', () => {
  it.each([
    [1024, '+1.0 kB a day'],
    [-1024, '-1.0 kB a day'],
    [null, 'not known yet'],
  ])('%p is %s', (bytes, text) => expect(formatGrowth(bytes)).toBe(text));
});

describe('formatDuration', () => {
  it.each([
    [0, '0 ms'],
    [0.0126, '13 ms'],
    [9.94, '9.9 s'],
    [59, '59 s'],
    [60, '1 min'],
    [3_599, '59 min 59 s'],
    [86_400, '1 d'],
    [86_405, '1 d'],
    [3 * 86_400 + 4 * 3_600 + 59, '3 d 4 h'],
  ])('%d s are %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));
});

describe('sparkline', () => {
  it.each([
    ['rises', [1, 2, 3, 4, 5, 6, 7, 8], '▁▂▃▄▅▆▇█'],
    ['falls', [10, 5, 0], '█▅▁'],
    ['stands still', [7, 7, 7], '▁▁▁'],
    ['is of one value', [7], '▁'],
  ])('shows what %s', (_, values, text) => expect(sparkline(values, 8)).toBe(text));

  it('thins out what is too long, and keeps both ends', () => {
    expect(sparkline([0, ...Array.from({ length: 98 }, () => 50), 100], 3)).toBe('▁▅█');
  });
});

describe('bar', () => {
  it.each([
    [0, '    '],
    [0.001, '▏   '],
    [0.5, '██  '],
    [0.53, '██▏ '],
    [1, '████'],
    [7, '████'],
  ])('of %d is "%s"', (share, text) => expect(bar(share, 4)).toBe(text));
});

describe('plain', () => {
  it('lets nothing through that steers a terminal', () => {
    expect(plain('a\u001B[31mb\u0007\r\nc\u202Ed\u2028e', 80)).toBe('a [31mb c d e');
  });

  it('cuts what is too long', () => {
    expect(plain('abcdef', 4)).toBe('abc…');
    expect(plain('abcd', 4)).toBe('abcd');
  });
});

describe('columns', () => {
  it('aligns, to the right where it is said', () => {
    expect(
      columns(
        ['name', '>size'],
        [
          ['a', '1'],
          ['bcdefg', '100'],
        ],
      ),
    ).toEqual(['name    size', 'a          1', 'bcdefg   100']);
  });

  it('has its head alone without rows', () => {
    expect(columns(['name', '>size'], [])).toEqual(['name  size']);
  });
});
