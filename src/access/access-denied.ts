import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Actor, Caller } from './actor';

/** A refusal, told to whoever listens: the audit trail, the metrics. */
export interface AccessDenied {
  caller: Caller | Actor;
  action: string;
  subject: string;
  targetId?: string | undefined;
}

const NAME = 'tenantry:access.denied';
const denials = channel(NAME);

/** The announcement of refusals: access knows nothing of the folders to its right. */
export const accessDenied = {
  publish: (event: AccessDenied): void => denials.publish(event),
  subscribe(listener: (event: AccessDenied) => void): () => void {
    const onMessage = (message: unknown): void => listener(message as AccessDenied);
    subscribe(NAME, onMessage);
    return () => unsubscribe(NAME, onMessage);
  },
};
