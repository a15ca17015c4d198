/**
 * What a room has at every host that it comes to, though as other objects there: nodes of its state, clients, views,
 * timers, seats that are held. Authors' values that point at one of them arrive pointing at its counterpart. Nodes that are
 * in no state, such as a deck of cards, are made again.
 */
import { CentroidError } from "@centroid/protocol";
import { Delayed, Rewind, type Room } from "@colyseus/core";
import { $refId, type Encoder, StateView } from "@colyseus/schema";
import type { Links, Parts } from "../values/carried-values.js";
import { internals } from "./core-internals.js";
import type { RoomInputs } from "./inputs.js";
import { MovableClient } from "./movable-client.js";
import type { RoomActivity } from "./room-activity.js";
import type { RoomWork } from "./room-work.js";
import { isRef, targetOf } from "./schema/internals.js";
import { fillLoose, makeLoose, partsOfLoose } from "./schema/loose-nodes.js";

export interface RoomLinksOptions {
  room: Room;
  encoder: Encoder | undefined;
  inputs: RoomInputs;
  activity: RoomActivity;
  work: RoomWork;
  /** Pending ones, in an order that both hosts know. */
  timers: readonly (Delayed | undefined)[];
  placeOf: (view: StateView) => number | undefined;
  views: readonly StateView[];
}

type Kind = "client" | "view" | "timer" | "return" | "rewind" | "inputs" | "workers";

export class RoomLinks implements Links {
  readonly #options: RoomLinksOptions;

  constructor(options: RoomLinksOptions) {
    this.#options = options;
  }

  linkOf(value: object): string | number | undefined {
    if (isRef(value)) return this.#nodeOf(value);
    const { inputs, timers, activity, work, placeOf } = this.#options;
    const link = (kind: Kind, name: string | number = ""): string => `${kind} ${name}`;
    if (value instanceof MovableClient) return link("client", value.sessionId);
    if (value instanceof StateView) {
      const place = placeOf(value);
      return place === undefined ? undefined : link("view", place);
    }
    if (value instanceof Rewind) return link("rewind");
    if (value === inputs.api) return link("inputs");
    const workers = work.indexOf(value);
    if (workers >= 0) return link("workers", workers);
    const pending = timers.indexOf(value as Delayed);
    if (pending >= 0) return link("timer", pending);
    if (value instanceof Delayed) return link("timer", "over");
    const sessionId = activity.returning(value);
    return sessionId === undefined ? undefined : link("return", sessionId);
  }

  objectOf(to: string | number): object | undefined {
    const { room, encoder, inputs, activity, work, timers, views } = this.#options;
    if (typeof to === "number") return encoder?.root.changeTrees[to]?.ref;
    const [kind, name = ""] = to.split(" ") as [Kind, string?];
    switch (kind) {
      case "client":
        return room.clients.getById(name) ?? activity.reconnecting.get(name)?.client;
      case "view":
        return views[Number(name)];
      case "timer":
        return timers[Number(name)] ?? this.#timerOver();
      case "return":
        return activity.returnOf(name);
      case "rewind":
        return internals(room).allowRewindState();
      case "inputs":
        return inputs.api;
      case "workers":
        return work.handleAt(Number(name));
      default: {
        const never: never = kind;
        return never;
      }
    }
  }

  partsOf(value: object): Parts | undefined {
    const { encoder } = this.#options;
    return encoder !== undefined && isRef(value) ? partsOfLoose(value, encoder.context) : undefined;
  }

  make(kind: number): object {
    const { encoder } = this.#options;
    if (encoder === undefined) throw new CentroidError("FRAME_INVALID", "a node for a room without a state");
    return makeLoose(kind, encoder.context);
  }

  fill(object: object, parts: Parts): void {
    fillLoose(object, parts);
  }

  /** One that is not in the state has no counterpart. */
  #nodeOf(value: Parameters<typeof targetOf>[0]): number | undefined {
    const refId = targetOf(value)[$refId];
    return refId !== undefined && this.#options.encoder?.root.changeTrees[refId] !== undefined
      ? refId
      : undefined;
  }

  /** As a field holds it whose timer has fired: it can be cleared again. */
  #timerOver(): Delayed {
    const timer = this.#options.room.clock.setTimeout(() => undefined, 0);
    timer.clear();
    return timer;
  }
}
