/** Social VR: people who see each other's heads and hands, and pass things around. An ordinary Colyseus room. */
import { isDrop } from "@centroid/naf-adapter/room";
import { type Client, Room } from "@colyseus/core";
import type { z } from "zod";
import { fly } from "../state/flight.js";
import { TABLE_TOP_M, THING_RADIUS_M } from "../state/furniture.js";
import { enter, GapBook, Ledger } from "../state/ledger.js";
import {
  echoSchema,
  emoteSchema,
  grabSchema,
  type Hand,
  joinSchema,
  type Pose,
  poseSchema,
  releaseSchema,
  signalSchema,
  type Velocity,
} from "../state/messages.js";
import {
  Avatar,
  PlazaState,
  setTransform,
  Thing,
  type Transform,
  transformAt,
} from "../state/plaza-state.js";

const MAX_PLAYERS = 32;
const TICK_MS = 50;
/** A person whose connection broke keeps place and things so long, seconds. */
const RECONNECTION_S = 10;
/** Things lie on the table in a circle. */
const THINGS_RADIUS_M = 0.55;
const EYE_HEIGHT_M = 1.6;
const HAND_HEIGHT_M = 1.1;
/** How near a hand must be to take a thing, metres. */
const REACH_M = 0.6;
/** Newcomers stand on a circle, one golden angle apart, so that nobody starts inside somebody else. */
const SPAWN_RADIUS_M = 2;
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
const THINGS = ["ball", "cube", "cone", "ring", "book", "cup"] as const;

export default class Plaza extends Room<{ state: PlazaState }> {
  override maxClients = MAX_PLAYERS;
  override state = new PlazaState();
  readonly #gaps = new GapBook();
  #arrivals = 0;

  override onCreate(): void {
    THINGS.forEach((kind, i) => {
      const angle = (2 * Math.PI * i) / THINGS.length;
      const transform = transformAt(
        THINGS_RADIUS_M * Math.cos(angle),
        TABLE_TOP_M + THING_RADIUS_M,
        THINGS_RADIUS_M * Math.sin(angle),
      );
      this.state.things.set(kind, new Thing().assign({ kind, transform, heldBy: "", hand: "" }));
    });
    this.setTimestep((deltaMs) => this.#step(deltaMs), TICK_MS);
    this.onMessage("pose", poseSchema, (client: Client, pose: Pose) => this.#pose(client, pose));
    this.onMessage("grab", grabSchema, (client: Client, grab: z.infer<typeof grabSchema>) =>
      this.#grab(client.sessionId, grab.objectId, grab.hand),
    );
    this.onMessage("release", releaseSchema, (client: Client, release: z.infer<typeof releaseSchema>) =>
      this.#release(client.sessionId, release.hand, release.velocity),
    );
    this.onMessage("emote", emoteSchema, (client: Client, { kind }: { kind: string }) => {
      this.state.broadcasts += 1;
      this.broadcast("emote", { n: this.state.broadcasts, by: client.sessionId, kind });
    });
    this.onMessage("signal", signalSchema, (client: Client, { to, data }: z.infer<typeof signalSchema>) =>
      this.clients.getById(to)?.send("signal", { from: client.sessionId, data }),
    );
    this.onMessage("echo", echoSchema, (client: Client, echo: { t: number }) => client.send("echo", echo));
  }

  override onJoin(client: Client, options?: unknown): void {
    const name = joinSchema.safeParse(options).data?.name ?? `guest ${client.sessionId.slice(0, 4)}`;
    const angle = GOLDEN_ANGLE * this.#arrivals++;
    const x = SPAWN_RADIUS_M * Math.cos(angle);
    const z = SPAWN_RADIUS_M * Math.sin(angle);
    const avatar = new Avatar().assign({
      name,
      hue: Math.round((angle * 180) / Math.PI) % 360,
      head: transformAt(x, EYE_HEIGHT_M, z),
      left: transformAt(x - 0.3, HAND_HEIGHT_M, z),
      right: transformAt(x + 0.3, HAND_HEIGHT_M, z),
      ledger: new Ledger(),
    });
    this.state.avatars.set(client.sessionId, avatar);
  }

  override async onDrop(client: Client, code?: number): Promise<void> {
    if (isDrop(code)) await this.allowReconnection(client, RECONNECTION_S);
  }

  override onLeave(client: Client): void {
    this.#release(client.sessionId, "left");
    this.#release(client.sessionId, "right");
    this.state.avatars.delete(client.sessionId);
    this.#gaps.forget(client.sessionId);
  }

  /** What is not in the schema travels by hand. */
  onFreeze(): unknown {
    return { gaps: this.#gaps.toJSON(), arrivals: this.#arrivals };
  }

  onThaw(extra: unknown): void {
    const { gaps, arrivals } = extra as { gaps: ReturnType<GapBook["toJSON"]>; arrivals: number };
    this.#gaps.restore(gaps);
    this.#arrivals = arrivals;
  }

  #step(deltaMs: number): void {
    for (const thing of this.state.things.values()) if (thing.heldBy === "") fly(thing, deltaMs / 1000);
  }

  #pose(client: Client, pose: Pose): void {
    const avatar = this.state.avatars.get(client.sessionId);
    if (!avatar) return;
    enter(avatar.ledger, this.#gaps.of(client.sessionId), pose.n, pose.nonce);
    setTransform(avatar.head, pose.head);
    setTransform(avatar.left, pose.left);
    setTransform(avatar.right, pose.right);
    this.#carry(client.sessionId, "left", avatar.left);
    this.#carry(client.sessionId, "right", avatar.right);
  }

  /** A held thing is where the hand is. */
  #carry(sessionId: string, hand: Hand, to: Transform): void {
    const { x, y, z, qx, qy, qz, qw } = to;
    this.#held(sessionId, hand)?.transform.assign({ x, y, z, qx, qy, qz, qw });
  }

  #held(sessionId: string, hand: Hand): Thing | undefined {
    for (const thing of this.state.things.values()) {
      if (thing.heldBy === sessionId && thing.hand === hand) return thing;
    }
    return undefined;
  }

  #grab(sessionId: string, objectId: string, hand: Hand): void {
    const thing = this.state.things.get(objectId);
    const from = this.state.avatars.get(sessionId)?.[hand];
    if (!thing || !from || thing.heldBy !== "" || this.#held(sessionId, hand)) return;
    const { transform } = thing;
    if (Math.hypot(from.x - transform.x, from.y - transform.y, from.z - transform.z) > REACH_M) return;
    thing.heldBy = sessionId;
    thing.hand = hand;
    thing.assign({ vx: 0, vy: 0, vz: 0 });
    this.#carry(sessionId, hand, from);
  }

  #release(sessionId: string, hand: Hand, [vx, vy, vz]: Velocity = [0, 0, 0]): void {
    const thing = this.#held(sessionId, hand);
    if (!thing) return;
    thing.heldBy = "";
    thing.hand = "";
    thing.assign({ vx, vy, vz });
  }
}
