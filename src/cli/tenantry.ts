#!/usr/bin/env node
import { tenantryProgram } from './program';
import { runCommands } from './run-commands';

void runCommands(tenantryProgram());
