/** Whether a room that declares itself deterministic can be: asked when it is made, and not at its first move. */
import { CentroidError } from "@centroid/protocol";
import { Room } from "@colyseus/core";
import type { RoomMove } from "./room-move.js";

/** What gives another answer at each host, as code says it. */
const ELSEWHERE_ANOTHER =
  /\bMath\.random\b|\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b|\b(?:randomUUID|getRandomValues|randomBytes|randomInt)\b|\bprocess\.hrtime\b/;
/** Run at one host only: what they bring about travels with the room. */
const AT_ONE_HOST: ReadonlySet<string> = new Set([
  ...["constructor", "onCreate", "onAuth", "onJoin", "onDrop", "onReconnect", "onLeave"],
  ...["onDispose", "onMovedAway", "onThaw"],
]);

/** @throws CentroidError ROOM_NOT_MOVABLE with what the room lacks or does */
export function assertDeterministic(room: Room & { move: RoomMove }, author: new () => Room): void {
  const { clock, inputs, work } = room.move;
  if (clock.stepMs === undefined)
    refuse(author, "it has no fixed steps: call setFixedTimestep() in onCreate()");
  if (inputs.api === undefined) refuse(author, "it takes no inputs: call defineInput()");
  if (work.used) refuse(author, "its workers answer when they are ready, not at a certain step");
  for (const [name, source] of methodsOf(author)) {
    const found = ELSEWHERE_ANOTHER.exec(source);
    if (found !== null)
      refuse(author, `${name}() uses ${found[0]}; take numbers from the state, and time from ctx.tick`);
  }
}

function refuse(author: { name: string }, why: string): never {
  throw new CentroidError("ROOM_NOT_MOVABLE", `${author.name} declares itself deterministic, but ${why}`);
}

function* methodsOf(author: new () => Room): Generator<[name: string, source: string]> {
  for (let object = author.prototype; object !== null && object !== Room.prototype; ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(object)))
      if (typeof value === "function" && !AT_ONE_HOST.has(name)) yield [name, String(value)];
    object = Object.getPrototypeOf(object);
  }
}
