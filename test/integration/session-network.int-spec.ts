import { readFileSync } from 'node:fs';
import path from 'node:path';
import { networkOf } from '../../src/auth/network';
import { newDatabase, type TestDatabase } from '../support/postgres';

const MIGRATION = '../../prisma/migrations/20261123131600_fill_session_network/migration.sql';
const ADDRESSES = [
  '192.0.2.7',
  '::FFFF:192.0.2.7',
  '2001:db8:7:0:1::1',
  '2001:DB8::1',
  '::1',
  'fe80::1%eth0',
  'unknown',
  '::::',
];

let database: TestDatabase;
beforeAll(async () => {
  database = await newDatabase();
});
afterAll(() => database.drop());

describe('the migration that fills the network of sessions', () => {
  it('makes the same of an address as network.ts', async () => {
    const sql = readFileSync(path.join(__dirname, MIGRATION), 'utf8');
    const [definition] = /CREATE FUNCTION[\s\S]+?\n\$\$;/.exec(sql)!;
    const owner = await database.connect('owner');
    try {
      await owner.query(definition);
      for (const address of ADDRESSES) {
        const { rows } = await owner.query('SELECT identity.network_of($1) AS network', [address]);
        expect({ address, network: (rows[0] as { network: string }).network }).toEqual({
          address,
          network: networkOf(address),
        });
      }
    } finally {
      await owner.end();
    }
  });
});
