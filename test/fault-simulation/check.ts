/** Judges a run: pure, from its history and its ending. One line for each promise that was broken. */
import type { Ending, Entry } from "./history.js";

export function check(history: readonly Entry[], ending: Ending): string[] {
  return [
    ...oneOwnerPerEpoch(history),
    ...oneHostRuns(history),
    ...noLivingRoomIsUndone(history),
    ...acknowledgedIsDurable(history, ending),
    ...appliedOnceInOrder(history, ending),
    ...heardInOrder(history),
    ...sessionsLive(history),
    ...nothingIsUncaught(history),
    ...everyMoveEnds(ending),
    ...everyRoomIsReachable(ending),
  ];
}

type Of<T extends Entry["type"]> = Extract<Entry, { type: T }>;
const all = <T extends Entry["type"]>(history: readonly Entry[], type: T): Of<T>[] =>
  history.filter((entry): entry is Of<T> => entry.type === type);

const lifeOf = ({ roomId, host, life }: { roomId: string; host: string; life: number }): string =>
  `${roomId} at ${host} (life ${life})`;

/** A fencing token is given to one owner only. */
export function oneOwnerPerEpoch(history: readonly Entry[]): string[] {
  const owners = new Map<string, string>();
  const broken: string[] = [];
  for (const owner of all(history, "owner")) {
    const key = `${owner.roomId} epoch ${owner.epoch}`;
    const known = owners.get(key);
    if (known !== undefined && known !== lifeOf(owner))
      broken.push(`two owners: ${key} is ${known} and ${lifeOf(owner)}`);
    owners.set(key, known ?? lifeOf(owner));
  }
  return broken;
}

/** A room runs in one place only: what two lives of it do, ticks or messages, never mixes. */
export function oneHostRuns(history: readonly Entry[]): string[] {
  const current = new Map<string, string>();
  const over = new Set<string>();
  const broken = new Set<string>();
  for (const entry of history) {
    if (entry.type !== "tick" && entry.type !== "applied") continue;
    const life = lifeOf(entry);
    const last = current.get(entry.roomId);
    if (last === life) continue;
    if (over.has(life)) broken.add(`two at once: ${life} runs on after ${last} has begun (${entry.type})`);
    if (last !== undefined) over.add(last);
    current.set(entry.roomId, life);
  }
  return [...broken];
}

/** A fault of a host so long ago has nothing to do with what happens now. */
const FAULT_COUNTS_MS = 12_000;

/** Only a room whose own host had trouble is built again from what was saved of it. */
export function noLivingRoomIsUndone(history: readonly Entry[]): string[] {
  const broken: string[] = [];
  const troubledAtMs = new Map<string, number>();
  const troubled = new Map<string, number>();
  const ticking = new Map<string, { machine: string; atMs: number }>();
  for (const entry of history) {
    if (entry.type === "fault" && entry.machine !== undefined) {
      troubled.set(entry.machine, (troubled.get(entry.machine) ?? 0) + 1);
      troubledAtMs.set(entry.machine, entry.atMs);
    } else if (entry.type === "healed" && entry.machine !== undefined) {
      troubled.set(entry.machine, (troubled.get(entry.machine) ?? 0) - 1);
      troubledAtMs.set(entry.machine, entry.atMs);
    } else if (entry.type === "tick")
      ticking.set(entry.roomId, { machine: machineOf(entry.host), atMs: entry.atMs });
    else if (entry.type === "owner") {
      const owner = ticking.get(entry.roomId);
      // From here on it is this host's, also if it dies before its first tick.
      ticking.set(entry.roomId, { machine: machineOf(entry.host), atMs: entry.atMs });
      if (owner === undefined || !entry.restored) continue;
      const faultAtMs = troubledAtMs.get(owner.machine) ?? Number.NEGATIVE_INFINITY;
      const isRecent = entry.atMs - faultAtMs < FAULT_COUNTS_MS;
      // However long it took: it has not been heard to run since.
      const excused = (troubled.get(owner.machine) ?? 0) > 0 || isRecent || faultAtMs >= owner.atMs;
      if (!excused)
        broken.push(
          `undone: ${entry.roomId} was built again at ${entry.host} though ${owner.machine} ran it`,
        );
    }
  }
  return broken;
}

const machineOf = (host: string): string => host.slice(0, host.indexOf("#"));

/** What a player was told is safe is in the room at the end. */
export function acknowledgedIsDurable(history: readonly Entry[], ending: Ending): string[] {
  const counts = new Map<string, number>();
  for (const { sessionId, count } of all(history, "acknowledged"))
    counts.set(sessionId, Math.max(count, counts.get(sessionId) ?? 0));
  const broken: string[] = [];
  for (const { roomId, log } of ending.rooms) {
    for (const [sessionId, numbers] of Object.entries(log)) {
      const there = new Set(numbers);
      const count = counts.get(sessionId) ?? 0;
      // The first frame of a session is its handshake.
      for (let number = 1; number < count; number++) {
        if (there.has(number)) continue;
        broken.push(`acknowledged and lost: ${roomId} has not got ${number} of ${sessionId}`);
        break;
      }
    }
  }
  return broken;
}

/** Whatever becomes of a session, the room has its messages once and in order; of one that lives, all of them. */
export function appliedOnceInOrder(history: readonly Entry[], ending: Ending): string[] {
  const said = new Map<string, number>();
  for (const { sessionId, number } of all(history, "said")) said.set(sessionId, number);
  const broken: string[] = [];
  for (const { roomId, log, sessions } of ending.rooms) {
    for (const [sessionId, numbers] of Object.entries(log)) {
      const at = numbers.findIndex((number, index) => number !== index + 1);
      if (at >= 0)
        broken.push(
          `not once in order: ${roomId} got ${numbers[at]} after ${numbers[at - 1] ?? 0} of ${sessionId}`,
        );
    }
    for (const sessionId of sessions) {
      const got = log[sessionId]?.length ?? 0;
      const all = said.get(sessionId) ?? 0;
      if (got < all) broken.push(`lost: ${roomId} got ${got} of ${all} of ${sessionId}, which lives`);
    }
  }
  return broken;
}

/** A move that was under way when its source died is over by then. */
const MOVED_WITHIN_MS = 3_000;

/**
 * What a room says arrives once and in order; only a restoration undoes some of it. What a host that died had said last
 * may be missing, if the player counts it as lost.
 */
export function heardInOrder(history: readonly Entry[]): string[] {
  const last = new Map<string, number>();
  const gaps = new Map<string, { missing: number; text: string }>();
  /** What a host that has just died took with it, counted already when the next comes. */
  const counted = new Map<string, number>();
  let diedAtMs = Number.NEGATIVE_INFINITY;
  const broken: string[] = [];
  for (const entry of history) {
    if (entry.type === "fault" && entry.text.includes("crash")) diedAtMs = entry.atMs;
    else if (entry.type === "moved") {
      const missing = gaps.get(entry.sessionId)?.missing ?? 0;
      if (entry.lost < missing) continue;
      gaps.delete(entry.sessionId);
      if (entry.atMs - diedAtMs < MOVED_WITHIN_MS) counted.set(entry.sessionId, entry.lost - missing);
    } else if (entry.type === "heard") {
      const { sessionId, number, fresh } = entry;
      const before = last.get(sessionId);
      const mayMiss = counted.get(sessionId) ?? 0;
      last.set(sessionId, number);
      counted.delete(sessionId);
      if (fresh || before === undefined || number === before + 1) continue;
      const text = `heard out of order: ${sessionId} got ${number} after ${before}`;
      const missing = number - before - 1;
      if (missing > 0 && missing <= mayMiss) continue;
      if (number <= before || gaps.has(sessionId)) broken.push(text);
      else gaps.set(sessionId, { missing, text });
    }
  }
  return [...broken, ...[...gaps.values()].map(({ text }) => text)];
}

/**
 * A session ends only if its own connection was cut, or if its room was built again from before it came: until something of
 * it is acknowledged, it is on no other machine.
 */
export function sessionsLive(history: readonly Entry[]): string[] {
  const roomOf = new Map<string, string>();
  const acknowledged = new Set<string>();
  const undone = new Set<string>();
  const broken: string[] = [];
  for (const entry of history) {
    if (entry.type === "applied") roomOf.set(entry.sessionId, entry.roomId);
    else if (entry.type === "acknowledged") acknowledged.add(entry.sessionId);
    else if (entry.type === "owner" && entry.restored) {
      for (const [sessionId, roomId] of roomOf)
        if (roomId === entry.roomId && !acknowledged.has(sessionId)) undone.add(sessionId);
    } else if (entry.type === "session-ended" && !entry.excused && !undone.has(entry.sessionId)) {
      const { sessionId, code, atMs } = entry;
      broken.push(`ended: session ${sessionId} with ${code} at ${atMs.toFixed(0)} ms`);
    }
  }
  return broken;
}

/** No fault outside ends a process of ours. */
export function nothingIsUncaught(history: readonly Entry[]): string[] {
  return all(history, "uncaught").map(({ process, text }) => `uncaught: ${process} would end of ${text}`);
}

/** Once the faults are over nothing stays undecided. */
export function everyMoveEnds({ openMigrations }: Ending): string[] {
  return openMigrations.map((migrationId) => `open: move ${migrationId} never ended`);
}

/** A room that somebody is in runs at one host, and the broker knows it. */
export function everyRoomIsReachable({ rooms }: Ending): string[] {
  return rooms
    .filter(({ sessions }) => sessions.length > 0)
    .filter(({ state, runsAt }) => state !== "running" || runsAt.length !== 1)
    .map(({ roomId, state, runsAt }) => `unreachable: ${roomId} is ${state ?? "unknown"}, runs at ${runsAt}`);
}
