import { runCommands } from './run-commands';
import { statusCommand } from './status-command';

void runCommands(statusCommand());
