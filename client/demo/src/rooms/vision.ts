/** Looks for faces in players' pictures, in a worker; what it finds is in the state, so everybody shares it. */
import { workersOf } from "@centroid/room";
import { type Client, Room } from "@colyseus/core";
import { enter, GapBook, Ledger } from "../state/ledger.js";
import { echoSchema, joinSchema, type LookMessage, lookSchema, watchSchema } from "../state/messages.js";
import { Camera, VisionState } from "../state/vision-state.js";
import type { Look, Seen } from "../vision/look.js";
import { Acquaintances } from "../vision/people.js";

const MAX_PLAYERS = 16;
/** Many times what a picture takes, even on a full machine. */
const TIMEOUT_MS = 10_000;

export default class Vision extends Room<{ state: VisionState }> {
  static work = { msPerRequest: 40, perSecond: 10 };
  override maxClients = MAX_PLAYERS;
  override state = new VisionState();
  readonly #gaps = new GapBook();
  readonly #people = new Acquaintances();

  override onCreate(): void {
    const workers = workersOf<Look, Seen>(this, new URL("../vision/look.js", import.meta.url), {
      timeoutMs: TIMEOUT_MS,
    });
    workers.answer("see", {
      input: ({ sessionId }, message) => {
        const { jpeg } = pictureOf(message);
        return { jpeg, describe: this.#people.wonders(this.state.players.get(sessionId)?.faces ?? []) };
      },
      done: (client, seen, { message, queueMs, workMs }) => {
        const { n, nonce, jpeg } = pictureOf(message);
        const camera = this.state.players.get(client.sessionId);
        if (camera === undefined) return undefined;
        enter(camera.ledger, this.#gaps.of(client.sessionId), n, nonce);
        camera.picture = n;
        camera.faces = this.#people.name(seen, camera.faces) as never;
        this.state.broadcasts += 1;
        this.broadcast("seen", { n: this.state.broadcasts, by: client.sessionId, faces: seen.length });
        for (const other of this.clients)
          if (other.sessionId !== client.sessionId && this.state.players.get(other.sessionId)?.watches)
            other.send("picture", { by: client.sessionId, n, jpeg });
        return { n, queueMs, workMs, faces: camera.faces.toJSON() };
      },
    });
    this.onMessage("watch", watchSchema, ({ sessionId }: Client, watches: boolean) => {
      const camera = this.state.players.get(sessionId);
      if (camera !== undefined) camera.watches = watches;
    });
    this.onMessage("echo", echoSchema, (client: Client, echo: { t: number }) => client.send("echo", echo));
  }

  override onJoin(client: Client, options?: unknown): void {
    const name = joinSchema.safeParse(options).data?.name ?? `player ${client.sessionId.slice(0, 4)}`;
    this.state.players.set(client.sessionId, new Camera().assign({ name, ledger: new Ledger() }));
  }

  override onLeave(client: Client): void {
    this.state.players.delete(client.sessionId);
    this.#gaps.forget(client.sessionId);
  }

  onFreeze(): unknown {
    return { gaps: this.#gaps.toJSON(), people: this.#people.toJSON() };
  }

  onThaw(extra: unknown): void {
    const { gaps, people } = extra as {
      gaps: ReturnType<GapBook["toJSON"]>;
      people: ReturnType<Acquaintances["toJSON"]>;
    };
    this.#gaps.restore(gaps);
    this.#people.restore(people);
  }
}

/** @throws Error that names what is wrong with it */
function pictureOf(message: unknown): LookMessage {
  const parsed = lookSchema.safeParse(message);
  if (parsed.success) return parsed.data;
  throw new Error(parsed.error.issues[0]?.message ?? "not a picture");
}
