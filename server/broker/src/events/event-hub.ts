/** Everything that changed, in one numbered stream. Costs next to nothing while nobody listens. */
import type { BrokerEvent } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";

type Unnumbered<E> = E extends BrokerEvent ? Omit<E, "seq" | "atMs"> : never;
export type Change = Exclude<Unnumbered<BrokerEvent>, { type: "snapshot" }>;
export type SnapshotBody = Omit<Extract<BrokerEvent, { type: "snapshot" }>, "seq" | "atMs" | "type">;
export type Snapshot = Extract<BrokerEvent, { type: "snapshot" }>;
export type EventListener = (event: BrokerEvent) => void;
/** Whether a listener wants an event of this type; rooms' events are asked for with their room's id. */
export type EventFilter = (type: Change["type"], roomId: string | undefined) => boolean;

export class EventHub {
  readonly #clock: Clock;
  readonly #snapshot: () => SnapshotBody;
  /** Each with what it wants. */
  readonly #listeners = new Map<EventListener, EventFilter>();
  readonly #onListeners: (wants: EventFilter) => void;
  #seq = 0;

  /** @param onListeners told what is wanted now, whenever somebody begins or ends to listen */
  constructor(
    clock: Clock,
    snapshot: () => SnapshotBody,
    onListeners: (wants: EventFilter) => void = () => undefined,
  ) {
    this.#clock = clock;
    this.#snapshot = snapshot;
    this.#onListeners = onListeners;
  }

  get subscribers(): number {
    return this.#listeners.size;
  }

  /** The state of everything now; events with a larger `seq` come after it. */
  snapshot(): Snapshot {
    return { type: "snapshot", seq: this.#seq, atMs: this.#clock.now(), ...this.#snapshot() };
  }

  /**
   * Hears every later event that it wants. A listener that throws is dropped; the others go on.
   * @returns what ends the subscription
   */
  subscribe(listener: EventListener, wants: EventFilter = () => true): () => void {
    this.#listeners.set(listener, wants);
    this.#listenersChanged();
    return () => this.#drop(listener);
  }

  #drop(listener: EventListener): void {
    if (this.#listeners.delete(listener)) this.#listenersChanged();
  }

  #listenersChanged(): void {
    this.#onListeners((...event) => [...this.#listeners.values()].some((wants) => wants(...event)));
  }

  /** `build` is called only if somebody wants this event. */
  emit(type: Change["type"], build: () => Change | undefined, roomId?: string): void {
    this.#seq++;
    if (this.#listeners.size === 0) return;
    const listening = [...this.#listeners].filter(([, wants]) => wants(type, roomId));
    if (listening.length === 0) return;
    const change = build();
    if (change === undefined) return;
    const event: BrokerEvent = { ...change, seq: this.#seq, atMs: this.#clock.now() };
    for (const [listener] of listening) {
      try {
        listener(event);
      } catch {
        this.#drop(listener);
      }
    }
  }
}
