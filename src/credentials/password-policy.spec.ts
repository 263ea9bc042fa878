import { findPasswordFault, MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH } from './password-policy';

const PERSONAL = ['anna.schmidt@acme-industries.example', 'Anna Schmidt', 'Acme Industries'];
const faultOf = (password: string) => findPasswordFault(password, PERSONAL, '/password')?.code;

describe('findPasswordFault', () => {
  it.each([
    ['lower case only of 20 characters', 'mfkqpzlwnvhtryxcsbdj'],
    ['words with spaces', 'violet lantern orbit'],
    ['a sentence', 'we drink coffee at nine'],
    ['Cyrillic', 'тихо плывёт лодка ночью'],
    ['exactly fifteen characters', 'kvzrwqhplxtbnfm'],
    ['fifteen emoji, counted as characters', '🦊🌵🚲🎻🧀🪁🦉🌋🛶🧶🥁🪴🦑🧭🍋'],
    ['64 characters', 'the heron wades slowly past our boat while rain taps on tin roofs'],
    ['128 characters', 'q7fz0kx9vw3m'.repeat(10) + 'plumbers'],
    ["the owner's first name within a long phrase", 'anna paints purple giraffes on tuesdays'],
  ])('accepts %s', (_, password) => {
    expect(faultOf(password)).toBeUndefined();
  });

  it.each([
    ['fourteen characters', 'kvzrwqhplxtbnf', 'password_too_short'],
    ['fourteen emoji of two UTF-16 units each', '🦊🌵🚲🎻🧀🪁🦉🌋🛶🧶🥁🪴🦑🧭', 'password_too_short'],
    ['letters that compose to fewer', 'e\u0301'.repeat(14), 'password_too_short'],
    ['129 characters', 'q7fz0kx9vw3m'.repeat(10) + 'plumbers!', 'password_too_long'],
    ['ligatures that decompose to more than 128', '\ufdfa'.repeat(15), 'password_too_long'],
    ['NUL', 'violet lantern\0 orbit', 'unstorable_text'],
    ['a lone surrogate', 'violet lantern \ud800 orbit', 'unstorable_text'],
    ['a common password with digits', 'password1234567', 'weak_password'],
    ['a common password twice', 'password password', 'weak_password'],
    ['a common password in disguise', 'P@ssw0rd12345678', 'weak_password'],
    ['a phrase of common passwords', 'thisismypassword', 'weak_password'],
    ['a row of keys', 'qwertyuiop123456', 'weak_password'],
    ['one letter', 'aaaaaaaaaaaaaaaaaaaa', 'weak_password'],
    ['a sequence', 'abcdefghijklmnopqrst', 'weak_password'],
    ['a repetition', 'dragondragondragon', 'weak_password'],
    ['the own e-mail address', 'anna.schmidt@acme-industries.example', 'weak_password'],
    ['the own name and a year', 'AnnaSchmidt1990!', 'weak_password'],
    ['the name of the tenant and a year', 'Acme-Industries-2026', 'weak_password'],
    ['name and tenant', 'anna-schmidt-acme-X7', 'weak_password'],
    ['the name of the product', 'Tenantry-Tenantry-1', 'weak_password'],
  ])('refuses %s', (_, password, code) => {
    expect(faultOf(password)).toBe(code);
  });

  it('names the place and says what to do', () => {
    expect(findPasswordFault('short', PERSONAL, '/newPassword')).toEqual({
      pointer: '/newPassword',
      code: 'password_too_short',
      message: 'The password must have at least 15 characters.',
    });
  });

  it('keeps to the bounds of NIST SP 800-63B-4', () => {
    expect(MIN_PASSWORD_LENGTH).toBeGreaterThanOrEqual(15);
    expect(MAX_PASSWORD_LENGTH).toBeGreaterThanOrEqual(64);
  });

  it('judges the worst password within a bound, since it stops everything else meanwhile', () => {
    const started = performance.now();
    findPasswordFault('p4$$w0rd'.repeat(16), PERSONAL, '/password');
    expect(performance.now() - started).toBeLessThan(1_000); // milliseconds, generous: ≈ 60 on an idle core
  });
});
