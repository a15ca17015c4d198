/**
 * One trial of a feature of Colyseus, on Colyseus or here: its rooms and players, and the moment at which the rooms move
 * or their host dies. All trials of a run reach that moment before it comes, so that one death does for all of them.
 */
import type { Client, Room } from "@colyseus/sdk";
import { vi } from "vitest";
import type { Api } from "../../fixtures/feature-rooms/index.js";

/** What is compared: whatever JSON can say. */
export type Seen = unknown;
/** Runs in the room. */
// biome-ignore lint/suspicious/noExplicitAny: trials reach into rooms of any kind
export type InRoom = (room: any, client: any, args: any, api: Api) => unknown;

export interface Feature {
  area: string;
  name: string;
  /** Where it cannot be disturbed, or need not be. */
  only?: "here";
  play: (stage: Stage) => Promise<Seen>;
}

/** A restored room waits for its players; on a busy machine that takes a while. */
export const PATIENCE = { timeout: 30_000, interval: 15 };

/** Fields that players see who have them in their views. */
const OF_VIEWS: ReadonlySet<string> = new Set(["purse", "code"]);

export interface Disturbance {
  /** @returns when the rooms are elsewhere, or on Colyseus at once */
  reached: (roomIds: readonly string[]) => Promise<void>;
  /** The rooms are saved so that their host may die. */
  saves: boolean;
}

export class Stage {
  readonly url: string;
  readonly #newClient: () => Client;
  readonly #disturbance: Disturbance;
  readonly #rooms = new Set<Room>();

  constructor(url: string, newClient: () => Client, disturbance: Disturbance) {
    this.url = url;
    this.#newClient = newClient;
    this.#disturbance = disturbance;
  }

  client(): Client {
    return this.#newClient();
  }

  add<T extends Room>(room: T): T {
    room.onMessage("*", () => undefined);
    this.#rooms.add(room);
    return room;
  }

  async create(
    options: { hooks?: Record<string, InRoom>; name?: string } = {},
    type = "stage",
  ): Promise<Room> {
    const hooks = Object.fromEntries(
      Object.entries(options.hooks ?? {}).map(([name, code]) => [name, String(code)]),
    );
    return this.add(await this.client().create(type, { ...options, hooks }));
  }

  async join(room: Room, options: object = {}): Promise<Room> {
    return this.add(await this.client().joinById(room.roomId, options));
  }

  /** Runs it in the room, for this player; again if the answer was lost with a host. */
  async run<T = unknown>(room: Room, code: InRoom, args?: unknown): Promise<T> {
    return room.request("run", { code: String(code), args });
  }

  /** The rooms move, or their host dies; on Colyseus they stay. */
  async disturb(...rooms: Room[]): Promise<void> {
    if (this.#disturbance.saves) for (const room of rooms) await this.#saved(room);
    await this.#disturbance.reached(rooms.map(({ roomId }) => roomId));
    for (const room of this.#rooms)
      if (room.connection !== undefined && rooms.includes(room)) await this.answers(room);
  }

  /** The room answers this player. */
  async answers(room: Room): Promise<void> {
    await vi.waitFor(() => room.request("run", { code: "() => 1" }, { timeout: 2_000 }), PATIENCE);
  }

  /** What this player has, once that is what the room has. */
  async seen(room: Room): Promise<Seen> {
    let seen: unknown;
    let state: unknown;
    await vi
      .waitFor(async () => {
        state = asJson(await this.run(room, (it) => it.state.toJSON()), OF_VIEWS);
        seen = asJson(room.state);
        if (JSON.stringify(sorted(seen)) !== JSON.stringify(sorted(state))) throw new Error("not yet");
      }, PATIENCE)
      .catch(() => undefined);
    return { room: sorted(state), player: sorted(seen) };
  }

  /** Twice, so that the first save has arrived. */
  async #saved(room: Room): Promise<void> {
    const reads = async (): Promise<number> => room.request("reads");
    for (let save = 0; save < 2; save++) {
      const before = await reads();
      room.send("touch");
      await vi.waitFor(async () => {
        if ((await reads()) <= before) throw new Error("not saved yet");
      }, PATIENCE);
    }
  }

  async end(): Promise<void> {
    await Promise.all(
      [...this.#rooms].map((room) => {
        room.reconnection.enabled = false;
        // Some of them have left already, and will not answer.
        return Promise.race([room.leave().catch(() => 0), new Promise((done) => setTimeout(done, 200))]);
      }),
    );
  }
}

/** As text can have it. */
export const asJson = (value: unknown, without: ReadonlySet<string> = new Set()): unknown =>
  JSON.parse(
    JSON.stringify(value ?? null, (key, it: unknown) =>
      without.has(key) ? undefined : typeof it === "bigint" ? String(it) : it,
    ),
  );

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, it]) => it !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, it]) => [key, sorted(it)]),
  );
}

/** Ends when so much is so. */
export const until = (isSo: () => boolean | Promise<boolean>, timeout = PATIENCE.timeout): Promise<void> =>
  vi.waitFor(
    async () => {
      if (!(await isSo())) throw new Error("not yet");
    },
    { ...PATIENCE, timeout },
  );
/** What a promise comes to. */
export const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (cause: { code?: unknown; message: string }) => ({ code: cause.code, message: cause.message }),
  );
