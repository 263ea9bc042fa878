import { describeEngine, describeEngineWithBackups } from '../support/engine-contract';
import { ExternalStage } from '../support/external-stage';
import { startNativeStage } from '../support/native-stage';

/** Restores flush a thousand files each, and the disk may be busy. */
jest.setTimeout(300_000);

describe('the native engine', () => describeEngineWithBackups(startNativeStage));

describe('the external engine', () => void describeEngine(() => ExternalStage.start()));
