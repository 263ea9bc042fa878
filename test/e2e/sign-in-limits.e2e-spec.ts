import { newId } from '../../src/common/id';
import { type Account, newAccount } from '../support/account';
import { createTestApp, type TestApp } from '../support/app';

/** As src/auth/sign-in-limits.ts has them. */
const PER_ADDRESS = 30;
const PER_ACCOUNT = 10;

let app: TestApp;

beforeAll(async () => {
  app = await createTestApp();
});

afterAll(() => app.close());

const login = ({ email, password }: Pick<Account, 'email' | 'password'>, address: string) =>
  app.anonymous(address).post('/v1/auth/login', { email, password });
const guess = (email: string, address: string) => login({ email, password: 'wrong' }, address);
const statusesOf = (responses: { status: number }[]) => responses.map(({ status }) => status);
const countOf = (responses: { status: number }[], status: number) =>
  responses.filter((response) => response.status === status).length;

let networks = 0;
/** Addresses that no other test has used. */
const newAddresses = (count: number): string[] => {
  const network = ++networks;
  return Array.from({ length: count }, (_, host) => `10.${network}.${Math.floor(host / 200)}.${(host % 200) + 1}`);
};
const unknownEmail = () => `${newId()}@example.com`;

describe('the limit on sign-ins', () => {
  it('throttles a hundred guesses from a hundred addresses, and does not lock the owner out', async () => {
    const person = await newAccount(app);
    const [home] = newAddresses(1) as [string];
    expect((await login(person, home)).status).toBe(200);

    const responses = [];
    for (const address of newAddresses(100)) responses.push(await guess(person.email, address));
    expect(countOf(responses, 401)).toBe(PER_ACCOUNT);
    expect(countOf(responses, 429)).toBe(100 - PER_ACCOUNT);

    const [elsewhere] = newAddresses(1) as [string];
    (await login(person, elsewhere)).expectProblem(429, 'too_many_attempts'); // even with the right password
    expect((await login(person, home)).status).toBe(200);
  });

  it('says when to come back', async () => {
    const email = unknownEmail();
    const addresses = newAddresses(PER_ACCOUNT + 1);
    for (const address of addresses.slice(1)) await guess(email, address);
    const response = await guess(email, addresses[0]!);
    response.expectProblem(429, 'too_many_attempts');
    const seconds = Number(response.headers['retry-after']);
    expect(seconds).toBeGreaterThan(14 * 60);
    expect(seconds).toBeLessThanOrEqual(15 * 60);
    await app.database.query('admin', 'UPDATE identity.sign_in_attempts SET expire = $1', [Date.now()]);
    expect((await guess(email, addresses[0]!)).status).toBe(401);
  });

  it('lets no more guesses through when they come at once', async () => {
    const { email } = await newAccount(app);
    const responses = await Promise.all(newAddresses(25).map((address) => guess(email, address)));
    expect(countOf(responses, 401)).toBe(PER_ACCOUNT);
    expect(countOf(responses, 429)).toBe(25 - PER_ACCOUNT);
  });

  it('treats an unknown e-mail address like a known one', async () => {
    const email = unknownEmail();
    const responses = [];
    for (const address of newAddresses(PER_ACCOUNT + 2)) responses.push(await guess(email, address));
    expect(statusesOf(responses)).toEqual([...Array.from({ length: PER_ACCOUNT }, () => 401), 429, 429]);
  });

  it('bounds guesses from an address that the account is known from, too', async () => {
    const person = await newAccount(app);
    const [home] = newAddresses(1) as [string];
    await login(person, home);
    const responses = [];
    for (let count = 0; count < PER_ACCOUNT + 1; count++) responses.push(await guess(person.email, home));
    expect(statusesOf(responses)).toEqual([...Array.from({ length: PER_ACCOUNT }, () => 401), 429]);
  });

  it('throttles an address that tries many accounts, and no other address', async () => {
    const [address, other] = newAddresses(2) as [string, string];
    const responses = await Promise.all(Array.from({ length: PER_ADDRESS + 5 }, () => guess(unknownEmail(), address)));
    expect(countOf(responses, 401)).toBe(PER_ADDRESS);
    expect(countOf(responses, 429)).toBe(5);
    expect((await guess(unknownEmail(), other)).status).toBe(401);
  });

  it('takes the /64 around an IPv6 address for one place', async () => {
    const guesses = Array.from({ length: PER_ADDRESS + 1 }, (_, host) =>
      guess(unknownEmail(), `2001:db8:7:7::${(host + 1).toString(16)}`),
    );
    expect(countOf(await Promise.all(guesses), 429)).toBe(1);
    expect((await guess(unknownEmail(), '2001:db8:7:8::1')).status).toBe(401);
  });

  it('believes what the proxy says of the address, and nothing that the caller says', async () => {
    const [address, other] = newAddresses(2) as [string, string];
    const guesses = Array.from({ length: PER_ADDRESS + 1 }, (_, host) =>
      guess(unknownEmail(), `203.0.113.${host}, ${address}`),
    );
    expect(countOf(await Promise.all(guesses), 429)).toBe(1);
    expect((await guess(unknownEmail(), `203.0.113.7, ${other}`)).status).toBe(401);
  });

  it('gives back what was right', async () => {
    const person = await newAccount(app);
    const [address] = newAddresses(1) as [string];
    for (let count = 0; count < PER_ADDRESS + 1; count++) expect((await login(person, address)).status).toBe(200);
  });

  it('gives back what was right, however many sign in at once from one address', async () => {
    const [address] = newAddresses(1) as [string];
    const people = await Promise.all(Array.from({ length: 5 }, () => newAccount(app)));
    const responses = await Promise.all(
      Array.from({ length: PER_ADDRESS }, (_, index) => login(people[index % people.length]!, address)),
    );
    expect(countOf(responses, 200)).toBe(PER_ADDRESS);
    expect((await guess(unknownEmail(), address)).status).toBe(401);
  });

  it('gives back what was right and is answered from before', async () => {
    const { email, password } = await newAccount(app);
    const [address] = newAddresses(1) as [string];
    const again = () =>
      app.anonymous(address).post('/v1/auth/login', { email, password }).set('idempotency-key', 'the-same');
    for (let count = 0; count < PER_ADDRESS + 1; count++) expect((await again()).status).toBe(200);
  });

  it('records the refusal that opens a pause, not the flood behind it', async () => {
    const person = await newAccount(app);
    for (const address of newAddresses(PER_ACCOUNT + 5)) await guess(person.email, address);
    const events = await app.database.query(
      'admin',
      "SELECT result, after FROM audit.events WHERE target_id = $1 AND result = 'denied'",
      [person.id],
    );
    expect(events).toEqual([{ result: 'denied', after: { reason: 'too_many_attempts' } }]);
  });

  it('keeps neither addresses nor e-mail addresses', async () => {
    const rows = await app.database.query<{ key: string }>('admin', 'SELECT key FROM identity.sign_in_attempts');
    expect(rows.length).toBeGreaterThan(0);
    for (const { key } of rows) expect(key).toMatch(/^(address|account|known-address|current-password):[\w-]{43}$/);
  });
});

describe('a session that cannot start though the password was right', () => {
  it('does not count as a failure', async () => {
    const impatient = await createTestApp({ POSTGRES_LOCK_TIMEOUT_MS: 100 });
    try {
      const { id, email, password } = await newAccount(impatient);
      const lock = await impatient.database.connect('admin');
      await lock.query('BEGIN');
      await lock.query('SELECT FROM identity.users WHERE id = $1 FOR UPDATE', [id]);
      const response = await impatient.anonymous().post('/v1/auth/login', { email, password });
      response.expectProblem(504, 'database_timeout');
      await lock.end();
      const counted = await impatient.database.query('admin', 'SELECT FROM identity.sign_in_attempts WHERE points > 0');
      expect(counted).toEqual([]);
    } finally {
      await impatient.close();
    }
  });
});

describe('the limit on sign-ins, where no proxy is configured', () => {
  let direct: TestApp;

  beforeAll(async () => {
    direct = await createTestApp({ TRUST_PROXY: 0 });
  });

  afterAll(() => direct.close());

  it('does not believe a forged X-Forwarded-For', async () => {
    const guesses = Array.from({ length: PER_ADDRESS + 1 }, (_, host) =>
      direct
        .anonymous(`203.0.113.${host}`)
        .with({ forwarded: `for=203.0.113.${host}`, 'x-real-ip': `203.0.113.${host}` })
        .post('/v1/auth/login', { email: unknownEmail(), password: 'wrong' }),
    );
    expect(countOf(await Promise.all(guesses), 429)).toBe(1);
  });
});
