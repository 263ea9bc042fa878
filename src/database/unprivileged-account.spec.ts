import { StartupError } from '../common/errors';
import { chooseAccount } from './unprivileged-account';

const ROOT = 'root:x:0:0:root:/root:/bin/bash';
const DAEMON = 'daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin';
const NOBODY = 'nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin';
const POSTGRES = 'postgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash';

describe('chooseAccount', () => {
  it.each([
    ['postgres where it exists', [ROOT, DAEMON, NOBODY, POSTGRES], { name: 'postgres', uid: 101, gid: 104 }],
    ['nobody where postgres is missing', [ROOT, DAEMON, NOBODY], { name: 'nobody', uid: 65534, gid: 65533 }],
    ['any other account where both are missing', [ROOT, DAEMON, ''], { name: 'daemon', uid: 1, gid: 1 }],
    ['no second name of root', ['postgres:x:0:0::/:/bin/sh', DAEMON], { name: 'daemon', uid: 1, gid: 1 }],
  ])('takes %s', (_, lines, expected) => {
    expect(chooseAccount(lines.join('\n'))).toEqual(expected);
  });

  it('says what to do where root is alone', () => {
    expect(() => chooseAccount(ROOT)).toThrow(StartupError);
    expect(() => chooseAccount(ROOT)).toThrow('POSTGRES_URL');
  });
});
