/** Who takes the backups and brings moments back (docs/backups.md, "Engines"). */
export type EngineSettings =
  | { name: 'native' }
  | {
      name: 'pgbackrest';
      stanza: string;
      /** Its configuration file; undefined: its own default. */
      config: string | undefined;
      /** Of PostgreSQL's programs. */
      binDir: string;
      /** A full backup is taken when the last one is so old, a differential one in between. */
      fullEveryDays: number;
    }
  | {
      name: 'external';
      /** Of the server that the provider has restored; undefined: there is none at present. */
      scratchUrl: string | undefined;
    };

const NAMES = ['native', 'pgbackrest', 'external'] as const;
const STANZA = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const DEFAULT_FULL_EVERY_DAYS = '7';
/** pgBackRest would take any of its options from the environment; the restored server, which runs it too, has none of ours. */
const PASSED_ON = ['PGBACKREST_STANZA', 'PGBACKREST_CONFIG'];

/** @param problems takes what is wrong, by the variable's name */
export function readEngineSettings(values: Readonly<Record<string, string>>, problems: string[]): EngineSettings {
  const name = NAMES.find((one) => one === (values.BACKUP_ENGINE ?? 'native'));
  if (name === undefined) problems.push(`BACKUP_ENGINE must be one of ${NAMES.join(', ')}`);
  if (name !== undefined && name !== 'native' && !values.POSTGRES_URL)
    problems.push(`BACKUP_ENGINE=${name} needs a server of your own: POSTGRES_URL must be set`);
  if (name === 'external') return { name, scratchUrl: values.POSTGRES_SCRATCH_URL };
  if (name !== 'pgbackrest') return { name: 'native' };

  const stanza = values.PGBACKREST_STANZA ?? '';
  if (!STANZA.test(stanza)) problems.push('PGBACKREST_STANZA must name the stanza of your pgBackRest configuration');
  const binDir = values.POSTGRES_BIN_DIR ?? '';
  if (!binDir)
    problems.push("POSTGRES_BIN_DIR must be the directory of PostgreSQL's programs, of your server's version");
  const days = values.BACKUP_FULL_EVERY_DAYS ?? DEFAULT_FULL_EVERY_DAYS;
  if (!/^[1-9]\d{0,3}$/.test(days)) problems.push('BACKUP_FULL_EVERY_DAYS must be a whole number, 1 or more');
  const others = Object.keys(values).filter((key) => key.startsWith('PGBACKREST_') && !PASSED_ON.includes(key));
  if (others.length > 0)
    problems.push(`${others.join(', ')}: put it into the configuration file of pgBackRest instead`);
  return { name, stanza, config: values.PGBACKREST_CONFIG, binDir, fullEveryDays: Number(days) };
}
