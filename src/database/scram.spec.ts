import { matchesVerifier, scramVerifier } from './scram';

// RFC 7677, section 3: user "user", password "pencil". The keys follow from the salt and the iterations given there;
// that PostgreSQL accepts what we compute is tested against a server in test/integration/logins.int-spec.ts.
const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');

describe('scramVerifier', () => {
  it("computes what PostgreSQL stores for RFC 7677's example", () => {
    expect(scramVerifier('pencil', SALT, 4096)).toBe(
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    );
  });

  it('salts: no two verifiers of one password are the same', () => {
    expect(scramVerifier('pencil')).not.toBe(scramVerifier('pencil'));
  });

  it('refuses what would have to be normalized first', () => {
    expect(() => scramVerifier('pässword')).toThrow(RangeError);
    expect(() => scramVerifier('')).toThrow(RangeError);
  });
});

describe('matchesVerifier', () => {
  it.each([
    ['the password', 'pencil', true],
    ['another password', 'Pencil', false],
  ])('tells %s', (_, password, expected) => {
    expect(matchesVerifier(password, scramVerifier('pencil'))).toBe(expected);
  });

  it('knows no other kind of verifier', () => {
    expect(matchesVerifier('pencil', 'md5b1946ac92492d2347c6235b4d2611184')).toBe(false);
  });
});
