import { StartupError } from '../../common/errors';
import { parseConnectionString, refusePlainText } from '../../database/connection-string';
import { examineScratch } from '../../database/scratch-server';
import { urlFor } from '../../database/server-connection';
import { BACKUP_LOGIN } from '../backup-login';
import {
  type BackupEngine,
  type BackupSummary,
  type CoverageSpan,
  NotOfThisEngineError,
  type RecoveredCluster,
  type RestorePlan,
  type RestoreTarget,
} from '../engine';

interface ExternalSettings {
  /** Of the restored server, as an administrator; undefined: there is none at present. */
  scratchUrl: string | undefined;
  /** Of the live server, under the backup login. */
  liveUrl: () => string;
  refusesPlainText: boolean;
}

/**
 * The restored database knows the time to 15 s while an instance looks after backups; that may have been started anew, or elected.
 * What is older by more than this is not the moment that was asked for.
 */
const CLOSE_MS = 120_000;

/**
 * A managed server: its provider takes the backups and restores them into a new server, the scratch. Here that is examined and handed
 * on, so that verification, drill and the restore of one tenant work as with any other engine. It is never stopped nor removed.
 */
export class ExternalEngine implements BackupEngine {
  readonly name = 'external';
  readonly place = "the provider's own backups";

  constructor(private readonly settings: ExternalSettings) {}

  createBackup(): Promise<BackupSummary> {
    return Promise.reject(notOurs('takes the backups of this server'));
  }

  /** What the provider holds is not known here. */
  listBackups(): Promise<BackupSummary[]> {
    return Promise.resolve([]);
  }

  coverage(): Promise<CoverageSpan[]> {
    return Promise.resolve([]);
  }

  verifyBackup(): Promise<void> {
    return Promise.reject(notOurs('keeps the backups of this server; a restored one is verified by `tenantry drill`'));
  }

  prune(): Promise<{ backups: string[]; files: number }> {
    return Promise.reject(notOurs('removes the backups of this server by its own rules'));
  }

  async planRestore(target: RestoreTarget): Promise<RestorePlan> {
    const { moment, backupId } = target;
    if (backupId !== undefined) throw notOurs('keeps the backups of this server: none can be chosen here');
    if (moment.kind === 'point')
      throw notOurs('restores this server to a time: it does not know restore points. Say the time');
    const { serverMajor, timeline, newest } = await this.examine(target);
    return {
      target,
      backup: undefined,
      timeline,
      history: [],
      until: moment.kind === 'time' ? moment.at : newest,
      serverMajor,
    };
  }

  /** The directory and the account of the options mean nothing here; a restore point to look at on the way there is none. */
  async materialize({ target }: RestorePlan): Promise<RecoveredCluster> {
    await this.examine(target); // anew: meanwhile the variable's server may have become another one
    const url = this.scratchUrl(target);
    const leaveAlone = (): Promise<void> => Promise.resolve();
    return {
      adminUrl: (database = 'postgres') => urlFor(url, database),
      directory: undefined,
      finish: leaveAlone,
      discard: leaveAlone,
    };
  }

  private async examine(target: RestoreTarget): Promise<{ serverMajor: number; timeline: number; newest: Date }> {
    const { moment } = target;
    const scratchUrl = this.scratchUrl(target);
    const scratch = await examineScratch(scratchUrl, { url: this.settings.liveUrl(), variable: BACKUP_LOGIN });
    const { newest } = scratch;
    if (newest === undefined)
      throw new StartupError('The restored server does not say of when it is: ops.backup_state is empty there.');
    if (moment.kind !== 'time') return { ...scratch, newest };
    const ahead = newest.getTime() - moment.at.getTime();
    if (ahead > 0 || ahead < -CLOSE_MS)
      throw new StartupError(
        `The restored server is of ${newest.toISOString()}, which is ${ahead > 0 ? 'after' : 'long before'} ` +
          `${moment.at.toISOString()}. Have it restored anew, or take it as it is with --latest.`,
      );
    return { ...scratch, newest };
  }

  private scratchUrl({ moment }: RestoreTarget): string {
    const { scratchUrl, refusesPlainText } = this.settings;
    if (scratchUrl === undefined) {
      const when = moment.kind === 'time' ? `to ${moment.at.toISOString()}` : 'to its newest state';
      throw new StartupError(
        `Have your provider restore the server ${when}, as a new server beside the live one. Then set POSTGRES_SCRATCH_URL to an ` +
          'administrator of that one and to its database, and repeat this.',
      );
    }
    if (refusesPlainText) refusePlainText(parseConnectionString(scratchUrl, 'POSTGRES_SCRATCH_URL'));
    return scratchUrl;
  }
}

const notOurs = (what: string): NotOfThisEngineError =>
  new NotOfThisEngineError(`Your provider ${what} (BACKUP_ENGINE=external).`);
