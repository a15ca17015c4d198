/**
 * Domain events within one broker: whoever causes something need not know who reacts to it. Each folder declares the
 * events that it emits (`host-events.ts`, `room-events.ts`, ...); a part asks for an emitter of those that it uses.
 */
export class Emitter<Events> {
  readonly #listeners = new Map<PropertyKey, ((event: never) => void)[]>();

  /** Calls `listener` for every later event of this type. */
  on<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): void {
    const listeners = this.#listeners.get(type);
    if (listeners === undefined) this.#listeners.set(type, [listener]);
    else listeners.push(listener);
  }

  /** Calls the listeners at once, in the order in which they were added. What one of them throws is thrown here. */
  emit<Type extends keyof Events>(type: Type, event: Events[Type]): void {
    for (const listener of this.#listeners.get(type) ?? [])
      (listener as (event: Events[Type]) => void)(event);
  }
}
