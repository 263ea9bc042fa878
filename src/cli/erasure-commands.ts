import type { Command } from 'commander';
import type { ErasureDto } from '../backups/erasures/erasure.dto';
import { readReceipt } from '../backups/erasures/erasure-receipt';
import { ERASURE_TIMEOUT_MS, ErasuresService } from '../backups/erasures/erasures.service';
import { reapplyErasures } from '../backups/erasures/reapply-erasures';
import { ReceiptStore } from '../backups/erasures/receipt-store';
import { openEngine } from '../backups/open-engine';
import { readKnownBackups, readBackupEnv } from '../config/backup-env';
import { longTransaction } from '../database/long-transaction';
import { Pools } from '../database/pools';
import { assertConfirmed } from './confirmation';
import { withPlatform } from './platform-context';
import { print } from './print';

interface EraseOptions {
  includeAccounts?: true;
  yes?: true;
  json?: true;
}

const HELP = `
Final: nothing brings it back, an undo neither. It prints a receipt, signed with
the platform's key, which names nobody. Backups from before still hold what was
erased until they are pruned; the receipt says until when. A restore of such a
backup erases it again (docs/export-and-erasure.md).

Examples:
  npm run tenantry -- tenant erase acme --include-accounts
  npm run tenantry -- person erase ada@example.com
  npm run tenantry -- erasures list`;

/** @param tenant the group of commands about one tenant */
export function registerErasureCommands(program: Command, tenant: Command): void {
  const options = (command: Command): Command =>
    command.option('--yes', 'does not ask').option('--json', 'as JSON, for programs').addHelpText('after', HELP);
  options(
    tenant
      .command('erase <tenant>')
      .description('Erases a tenant (slug or id) at once and for good, its audit trail included.')
      .option('--include-accounts', 'with the accounts of people who are in no other tenant'),
  ).action(eraseTenant);
  const person = program.command('person').description('One person, in all tenants.');
  options(
    person
      .command('erase <account>')
      .description('Erases a person (e-mail address or account id) everywhere, at once and for good.'),
  ).action(erasePerson);
  const erasures = program.command('erasures').description('What was erased for good.');
  erasures
    .command('list')
    .description('Shows the receipts, and how many backups still hold what was erased.')
    .option('--json', 'as JSON, for programs')
    .action(listErasures);
  erasures
    .command('reapply')
    .description('After a restore by other means: erases again what was erased after the restored moment.')
    .action(reapply);
}

async function eraseTenant(name: string, options: EraseOptions): Promise<void> {
  await withPlatform(async (context) => {
    const service = context.get(ErasuresService);
    const tenant = await service.findTenant(name);
    const more = options.includeAccounts ? ', with the accounts of people who are in no other tenant' : '';
    if (!options.yes) await assertConfirmed(`Erase the tenant ${tenant.slug} (${tenant.id}) for good${more}?`);
    const input = {
      subject: 'tenant' as const,
      subjectId: tenant.id,
      confirm: tenant.slug,
      includeAccounts: options.includeAccounts ?? false,
    };
    await tell(await service.erase({ type: 'system' }, input), options);
    await service.storeReceipts();
  });
}

async function erasePerson(name: string, options: EraseOptions): Promise<void> {
  await withPlatform(async (context) => {
    const service = context.get(ErasuresService);
    const account = await service.findAccount(name);
    if (!options.yes) await assertConfirmed(`Erase ${account.email} (${account.id}) everywhere and for good?`);
    await tell(
      await service.erase({ type: 'system' }, { subject: 'account', subjectId: account.id, confirm: account.email }),
      options,
    );
    await service.storeReceipts();
  });
}

async function tell(erasure: ErasureDto, { json }: EraseOptions): Promise<void> {
  if (json) return print(JSON.stringify(erasure, null, 2));
  const { id, subject, subjectId, erasedAt, accountIds, rows, backupsHoldUntil, sha256, receipt } = erasure;
  print(`Erased the ${subject} ${subjectId} at ${erasedAt} (erasure ${id}).`);
  if (subject === 'tenant') print(`People erased with it: ${accountIds.length}.`);
  for (const [table, count] of Object.entries(rows)) if (count > 0) print(`  ${table}: ${count}`);
  print(
    backupsHoldUntil === null
      ? 'Who keeps backups decides how long they still hold it.'
      : `Backups may hold it until ${backupsHoldUntil}, if they are taken and pruned as configured.`,
  );
  print(`Receipt (SHA-256 ${sha256}):\n${receipt}`);
}

async function listErasures({ json }: { json?: true }): Promise<void> {
  const backups = readKnownBackups();
  const taken = backups ? await openEngine(backups).listBackups() : undefined;
  const receipts = await withPlatform(async (context) => {
    const service = context.get(ErasuresService);
    await service.storeReceipts();
    return service.listAll();
  });
  const erasures = receipts.map((receipt) => {
    const told = readReceipt(receipt);
    const holding = taken?.filter(({ startedAt }) => startedAt <= new Date(told.erasedAt)).length ?? null;
    return { ...told, backupsThatHoldIt: holding, receipt };
  });
  if (json) return print(JSON.stringify(erasures, null, 2));
  if (erasures.length === 0) return print('Nothing was erased.');
  for (const { id, erasedAt, subject, subjectId, backupsHoldUntil, backupsThatHoldIt } of erasures) {
    const until = backupsHoldUntil === null ? '' : `, until ${backupsHoldUntil} as configured`;
    const held =
      backupsThatHoldIt === 0 ? 'in no backup any more' : `in ${backupsThatHoldIt ?? 'unknown'} backups${until}`;
    print(`${erasedAt}  ${subject} ${subjectId}  ${held}  (erasure ${id})`);
  }
}

async function reapply(): Promise<void> {
  const receipts = ReceiptStore.open(readBackupEnv());
  await withPlatform(async (context) => {
    const { platform } = context.get(Pools);
    const { known, reapplied, ownerless } = await reapplyErasures({
      receipts,
      transaction: (work) => longTransaction(platform, ERASURE_TIMEOUT_MS, work),
    });
    print(`${known} erasures are known in ${receipts.place}; ${reapplied.length} were carried out again.`);
    for (const { slug, id } of ownerless) print(`Without an owner now, appoint one: ${slug} (${id}).`);
  });
}
