import { Logger } from '@nestjs/common';
import { type Command, CommanderError } from 'commander';
import { loadDotEnv } from '../config/dot-env';
import { refuseSecrets } from './command-secrets';
import { EXIT, exitCodeOf, messageOf } from './exit-codes';

/** Runs what the command line asks for; sets the process's exit code (exit-codes.ts) and never throws. */
export async function runCommands(program: Command): Promise<void> {
  for (const command of withChildren(program)) command.exitOverride().showHelpAfterError();
  program.hook('preAction', () => {
    Logger.overrideLogger(['warn', 'error']);
    loadDotEnv();
  });
  try {
    refuseSecrets(process.argv.slice(2));
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has told the person; after --help it is no error.
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.misused;
      return;
    }
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

const withChildren = (command: Command): Command[] => [command, ...command.commands.flatMap(withChildren)];
