import type { CoverageWindow, Holdings } from '../coverage';
import type { BackupManifest } from './backup-manifest';
import type { ArchivedSegment } from './wal-archive';

export type NativeHoldings = Holdings<BackupManifest, ArchivedSegment>;
export type NativeWindow = CoverageWindow<BackupManifest, ArchivedSegment>;
