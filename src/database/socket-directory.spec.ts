import { socketFits } from './socket-directory';

const SOCKET = '/.s.PGSQL.5432';

describe('socketFits', () => {
  it.each([
    ['107 bytes', `/${'d'.repeat(106 - SOCKET.length)}`, true],
    ['108 bytes', `/${'d'.repeat(107 - SOCKET.length)}`, false],
    ['fewer than 107 characters, more than 107 bytes', `/${'ü'.repeat(60)}`, false],
  ])('tells whether a path of %s can be a socket', (_, directory, expected) => {
    expect(socketFits(directory)).toBe(expected);
  });
});
