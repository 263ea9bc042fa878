import type { Command } from 'commander';
import { refuseSecrets } from './command-secrets';
import { tenantryProgram } from './program';

/** Every command that does something, by its words. */
function leaves(command: Command, words: readonly string[] = []): [words: string, command: Command][] {
  if (command.commands.length === 0) return [[words.join(' '), command]];
  return command.commands.flatMap((one) => leaves(one, [...words, one.name()]));
}
const commands = leaves(tenantryProgram());

describe('tenantry', () => {
  it.each([
    'backup create',
    'backup list',
    'backup verify',
    'backup prune',
    'wal receive',
    'restore',
    'restore-point create',
    'restore-point list',
    'drill',
    'tenant restore',
    'tenant export',
    'tenant import',
    'tenant erase',
    'status',
  ])('has %s', (words) => expect(commands.map(([name]) => name)).toContain(words));

  it.each(commands)('%s says what it does, and what each of its options means', (_, command) => {
    expect(command.description()).toMatch(/^[A-Z].+\.$/s);
    for (const { flags, description } of command.options)
      expect([flags, description]).toEqual([flags, expect.stringMatching(/./)]);
  });

  it.each(commands)('%s takes no secret as an option', (_, command) => {
    const values = command.options.flatMap(({ long }) => (long ? [long] : []));
    expect(() => refuseSecrets(values)).not.toThrow(); // or nobody could use it
  });
});
