/**
 * What two hosts that run the same room compare: a hash of its state, as it is in memory and not as it is encoded, and of
 * each other part that a move would carry. Numbers of their own clocks and what only one of them knows are left out.
 */
import type { MovableRoom } from "../colyseus/movable-room.js";
import { StateReader } from "../colyseus/schema/reader.js";
import type { NodeRecord } from "../colyseus/schema/records.js";
import { pack } from "./packing.js";
import { hashBytes, StateHash } from "./state-hash.js";

/** Named as an operator reads them. */
export interface RoomDigest {
  state: string;
  "references of the state": string;
  "sessions and their inputs": string;
  "seats and settings": string;
  "clock and timers": string;
  fields: string;
  "views, streams and rewind buffers": string;
}

export function digestRoom(room: MovableRoom): RoomDigest {
  const { clock, sessions, seats, heap, plain, extra, views, rewind, streams, timeline, ...others } =
    room.move.snapshot.export();
  const { heard: _heard, setUp: _setUp, takenBack: _takenBack, ...settings } = others;
  const { stepPassedMs: _passed, ...time } = clock;
  const own = <T extends { playerId: unknown; network: unknown }>({ playerId, network, ...rest }: T) => rest;
  const [state, references] = digestState(room);
  return {
    state,
    "references of the state": references,
    "sessions and their inputs": hash(sessions.map(own)),
    "seats and settings": hash([seats.map(own), settings]),
    "clock and timers": hash(time),
    fields: hash([heap, plain, extra]),
    "views, streams and rewind buffers": hash([views, rewind, streams, timeline]),
  };
}

/** @returns the first part that differs */
export function differingPart(one: RoomDigest, other: RoomDigest): keyof RoomDigest | undefined {
  return (Object.keys(one) as (keyof RoomDigest)[]).find((part) => one[part] !== other[part]);
}

function digestState(room: MovableRoom): [state: string, references: string] {
  const { encoder } = room.move.snapshot;
  if (encoder === undefined) return ["", ""];
  const reader = new StateReader(encoder as never);
  const nodes = new StateHash();
  // Those that the state reaches: an encoder may still know others, which have left it.
  const pending = [reader.rootRefId];
  for (let refId = pending.pop(); refId !== undefined; refId = pending.pop()) {
    if (nodes.has(refId)) continue;
    const record = reader.read(refId);
    if (record === undefined) continue;
    nodes.set(record);
    pending.push(...linked(record));
  }
  return [hash(room.state), `${nodes} ${reader.nextRefId}`];
}

const linked = ([, , slots]: NodeRecord): number[] =>
  slots.flatMap((slot) => (Array.isArray(slot) ? [slot[0] as number] : []));

/** JSON for a state, which says of itself what it is. */
const hash = (value: unknown): string =>
  hashBytes(isState(value) ? Buffer.from(JSON.stringify(value)) : pack(value));

const isState = (value: unknown): boolean =>
  typeof (value as { toJSON?: unknown } | null | undefined)?.toJSON === "function";
