import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';

/** Something that a folder tells to whoever listens, without knowing them. */
export interface Announcement<Event> {
  publish(event: Event): void;
  /** Does anybody listen? Asked before an event that costs something to put together. */
  readonly hasListeners: boolean;
  /** @returns ends the subscription */
  subscribe(listener: (event: Event) => void): () => void;
}

/** An announcement under a name of its own; it costs nothing while nobody listens. */
export function announcement<Event>(name: string): Announcement<Event> {
  const told = channel(name);
  return {
    publish: (event) => told.publish(event),
    get hasListeners() {
      return told.hasSubscribers;
    },
    subscribe(listener) {
      const onMessage = (message: unknown): void => listener(message as Event);
      subscribe(name, onMessage);
      return () => unsubscribe(name, onMessage);
    },
  };
}
