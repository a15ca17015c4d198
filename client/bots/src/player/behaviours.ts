/** How a bot plays each demo room: what it sends, and where the room keeps its count. */
import { readFileSync } from "node:fs";
import type { Uniform } from "../measure/random.js";

/** The room's own count of one player's numbered messages (the demo rooms' ledger). */
interface LedgerView {
  readonly last: number;
  readonly received: number;
  readonly missing: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly checksum: number;
}

interface PlayerView {
  readonly ledger: LedgerView;
}

interface PlayerMap {
  get(sessionId: string): PlayerView | undefined;
}

/** The part of a demo room's state that bots read. */
export interface BotView {
  readonly players?: PlayerMap;
  readonly avatars?: PlayerMap;
  readonly target?: { readonly x: number; readonly y: number };
  /** Number of the last numbered broadcast. */
  readonly broadcasts?: number;
}

interface Outgoing {
  readonly type: string;
  readonly message: Readonly<Record<string, unknown>>;
}

export interface Behaviour {
  /** Type of the room's numbered broadcasts. */
  readonly broadcastType: string;
  readonly ledgerOf: (state: BotView, sessionId: string) => LedgerView | undefined;
  /** The next numbered message, and now and then one that makes the room broadcast. */
  /** Its messages are requests: the next one waits for the answer, as whoever looks at the answers would. */
  readonly asks?: boolean;
  readonly play: (state: BotView, numbered: { n: number; nonce: number }, random: Uniform) => Outgoing[];
}

/** Of the inputs: often enough to count broadcasts, rarely enough not to drown the room in them. */
const FIRE_SHARE = 0.1;
const EMOTE_SHARE = 0.05;
/** 320 x 240, two drawn faces. */
export const TEST_PICTURE: Uint8Array = readFileSync(new URL("../../data/faces.jpg", import.meta.url));
/** Hands shake by this much, in units of the field. */
const AIM_ERROR = 10;

const arena: Behaviour = {
  broadcastType: "shot",
  ledgerOf: (state, sessionId) => state.players?.get(sessionId)?.ledger,
  play: (state, numbered, random) => {
    const { x = 0, y = 0 } = state.target ?? {};
    const aim = (at: number) => at + (random() * 2 - 1) * AIM_ERROR;
    return [{ type: "input", message: { ...numbered, x: aim(x), y: aim(y), fire: random() < FIRE_SHARE } }];
  },
};

const plaza: Behaviour = {
  broadcastType: "emote",
  ledgerOf: (state, sessionId) => state.avatars?.get(sessionId)?.ledger,
  play: (_state, numbered, random) => {
    const at = (x: number, y: number) => [x, y, random() - 0.5, 0, 0, 0, 1];
    const sway = random() - 0.5;
    const pose: Outgoing = {
      type: "pose",
      message: { ...numbered, head: at(sway, 1.6), left: at(sway - 0.3, 1.1), right: at(sway + 0.3, 1.1) },
    };
    return random() < EMOTE_SHARE ? [pose, { type: "emote", message: { kind: "wave" } }] : [pose];
  },
};

/** A camera: pictures with a face in them. */
const vision: Behaviour = {
  broadcastType: "seen",
  ledgerOf: (state, sessionId) => state.players?.get(sessionId)?.ledger,
  asks: true,
  play: (_state, numbered) => [{ type: "see", message: { ...numbered, jpeg: TEST_PICTURE } }],
};

export const BEHAVIOURS = { arena, plaza, vision } as const satisfies Record<string, Behaviour>;
export type PlayableRoom = keyof typeof BEHAVIOURS;
export const PLAYABLE_ROOMS = Object.keys(BEHAVIOURS) as PlayableRoom[];
