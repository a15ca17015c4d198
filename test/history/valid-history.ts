/** Histories as a faultless system would leave them, drawn from choices that a test makes. */
import type { HistoryEvent } from "./events.js";

/** What happens next in a drawn history. */
export type Step =
  | { do: "send"; player: number }
  | { do: "hear" }
  | { do: "tick" }
  | { do: "save" }
  | { do: "acknowledge" }
  | { do: "hand off" }
  | { do: "kill" };

interface Copy {
  life: string;
  position: number;
  tick: number;
  last: Record<string, number>;
}

const ROOM = "room";
const sessionOf = (player: number): string => `session${player}`;

/** Plays the steps in a room with `players` players; ends with everything heard and settled. */
export function validHistory(steps: readonly Step[], players: number): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  const sent = new Map<string, number>();
  /** Where each player goes on receiving. */
  const got = new Map<string, number>();
  let atMs = 0;
  let lives = 1;
  let epoch = 1;
  let now: Copy = { life: "life1", position: 0, tick: 0, last: {} };
  let saved: Copy = structuredClone(now);
  const sessions = Array.from({ length: players }, (_, player) => sessionOf(player));
  for (const session of sessions) {
    sent.set(session, 0);
    got.set(session, 0);
    now.last[session] = 0;
  }
  saved = structuredClone(now);
  const effect = () => ({
    atMs: ++atMs,
    roomId: ROOM,
    life: now.life,
    epoch,
    host: 100 + lives,
    position: now.position++,
  });
  const hear = (session: string): boolean => {
    const last = now.last[session] ?? 0;
    if (last >= (sent.get(session) ?? 0)) return false;
    now.last[session] = last + 1;
    events.push({ type: "heard", session, number: last + 1, ...effect() });
    return true;
  };
  const deliver = (): void => {
    for (const session of sessions) {
      for (let tick = (got.get(session) ?? 0) + 1; tick <= now.tick; tick++)
        events.push({ type: "got", roomId: ROOM, session, life: now.life, tick, atMs: ++atMs });
      got.set(session, now.tick);
    }
  };
  const begin = (copy: Copy): void => {
    epoch++;
    const life = `life${++lives}`;
    const { position, tick, last } = copy;
    events.push({
      type: "thawed",
      roomId: ROOM,
      life,
      host: 100 + lives,
      from: { life: copy.life, position, tick },
      last: { ...last },
      atMs: ++atMs,
    });
    now = { ...structuredClone(copy), life };
    for (const session of sessions) got.set(session, Math.min(got.get(session) ?? 0, tick));
  };
  for (const step of steps) {
    switch (step.do) {
      case "send": {
        const session = sessionOf(step.player % players);
        const number = (sent.get(session) ?? 0) + 1;
        sent.set(session, number);
        events.push({ type: "sent", roomId: ROOM, session, number, atMs: ++atMs });
        break;
      }
      case "hear":
        for (const session of sessions) hear(session);
        break;
      case "tick":
        now.tick++;
        events.push({ type: "ticked", tick: now.tick, ...effect() });
        deliver();
        break;
      case "save":
        saved = structuredClone(now);
        break;
      case "acknowledge":
        for (const session of sessions)
          events.push({ type: "acknowledged", session, number: saved.last[session] ?? 0, atMs: ++atMs });
        break;
      case "hand off":
        begin(now);
        // What was confirmed is in the last save or in the hand-off itself, which is saved at once.
        saved = structuredClone(now);
        break;
      case "kill":
        events.push({ type: "fault", what: "host killed", hosts: [100 + lives], atMs: ++atMs });
        begin(saved);
        break;
      default: {
        const never: never = step;
        throw new Error(JSON.stringify(never));
      }
    }
  }
  while (sessions.map(hear).some(Boolean));
  now.tick++;
  events.push({ type: "ticked", tick: now.tick, ...effect() });
  deliver();
  events.push({ type: "settled", atMs: ++atMs });
  return events;
}
