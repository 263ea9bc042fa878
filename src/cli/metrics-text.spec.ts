import { Gauge, Registry } from 'prom-client';
import { parseMetrics } from './metrics-text';

describe('parseMetrics', () => {
  it('reads back what prom-client writes', async () => {
    const registry = new Registry();
    const gauge = new Gauge({
      name: 'a_gauge',
      help: 'Help with "quotes" {and} 1',
      labelNames: ['one', 'two'],
      registers: [registry],
    });
    gauge.set({ one: 'quo"te', two: 'back\\slash\nline, }' }, 1.5);
    gauge.set({ one: 'plain' }, -2e-7);
    new Gauge({ name: 'bare', help: 'x', registers: [registry] }).set(3);
    expect(parseMetrics(await registry.metrics())).toEqual([
      { name: 'a_gauge', labels: { one: 'quo"te', two: 'back\\slash\nline, }' }, value: 1.5 },
      { name: 'a_gauge', labels: { one: 'plain' }, value: -2e-7 },
      { name: 'bare', labels: {}, value: 3 },
    ]);
  });

  it('passes over what is no sample', () => {
    expect(parseMetrics('<html>not metrics</html>\n\n# HELP x y\n')).toEqual([]);
  });
});
