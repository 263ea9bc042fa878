import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Env } from '../config/env';
import { ensureMetricsToken, readInstanceFile, removeInstanceFile, writeInstanceFile } from './instance-file';

describe('ensureMetricsToken', () => {
  it('makes one where nobody has decided who may read the metrics, another each time', () => {
    const [env, other] = [new Env(), new Env()];
    expect(ensureMetricsToken(env)).toMatch(/^[\w-]{32}$/);
    expect(env.METRICS_TOKEN).toMatch(/^[\w-]{32}$/);
    expect(ensureMetricsToken(other)).not.toBe(env.METRICS_TOKEN);
  });

  it.each([
    ["METRICS_TOKEN, which stays the operator's own", { METRICS_TOKEN: 'sixteen letters!' }],
    ['METRICS_PORT, which may be open on purpose', { METRICS_PORT: 0 }],
  ])('makes none beside %s', (_, given) => {
    const env = Object.assign(new Env(), given);
    expect(ensureMetricsToken(env)).toBeUndefined();
    expect(env).toMatchObject(given);
    expect(env.METRICS_TOKEN).toBe('METRICS_TOKEN' in given ? given.METRICS_TOKEN : undefined);
  });
});

describe('the file of an instance', () => {
  let dataDir: string;
  beforeEach(() => {
    dataDir = mkdtempSync(path.join(tmpdir(), 'tenantry-test-instance-'));
  });
  afterEach(() => rmSync(dataDir, { recursive: true }));

  it('is for its owner alone, is written anew, and goes', () => {
    writeInstanceFile(dataDir, { metricsUrl: 'http://before', metricsToken: 'a' });
    writeInstanceFile(dataDir, { metricsUrl: 'http://after' });
    expect(readInstanceFile(dataDir)).toEqual({ metricsUrl: 'http://after' });
    expect(statSync(path.join(dataDir, 'instance.json')).mode & 0o777).toBe(0o600);
    removeInstanceFile(dataDir);
    removeInstanceFile(dataDir);
    expect(readInstanceFile(dataDir)).toBeUndefined();
  });

  it('is as good as none when it cannot be read', () => {
    writeFileSync(path.join(dataDir, 'instance.json'), '{"metricsUrl":');
    expect(readInstanceFile(dataDir)).toBeUndefined();
  });
});
