/** State of the plaza: people with a head and two hands, and things to pick up. */
import { type SchemaType, schema, t } from "@colyseus/schema";
import { Ledger } from "./ledger.js";
import type { PoseTuple } from "./messages.js";

/** Position in metres, orientation as a unit quaternion. */
export const Transform = schema(
  {
    x: t.float32().default(0),
    y: t.float32().default(0),
    z: t.float32().default(0),
    qx: t.float32().default(0),
    qy: t.float32().default(0),
    qz: t.float32().default(0),
    qw: t.float32().default(0),
  },
  "Transform",
);
export type Transform = SchemaType<typeof Transform>;

export const Avatar = schema(
  {
    name: t.string().default(""),
    /** Hue of its colour, degrees. */
    hue: t.uint16().default(0),
    head: t.ref(Transform),
    left: t.ref(Transform),
    right: t.ref(Transform),
    ledger: t.ref(Ledger),
  },
  "Avatar",
);
export type Avatar = SchemaType<typeof Avatar>;

export const Thing = schema(
  {
    kind: t.string().default(""),
    transform: t.ref(Transform),
    /** Session that holds it, or empty. */
    heldBy: t.string().default(""),
    hand: t.string().default(""),
    /** How it flies, m/s. */
    vx: t.float32().default(0),
    vy: t.float32().default(0),
    vz: t.float32().default(0),
  },
  "Thing",
);
export type Thing = SchemaType<typeof Thing>;

export const PlazaState = schema(
  {
    avatars: t.map(Avatar),
    things: t.map(Thing),
    /** Number of the last `emote` that was broadcast. */
    broadcasts: t.uint32().default(0),
  },
  "PlazaState",
);
export type PlazaState = SchemaType<typeof PlazaState>;

export function setTransform(transform: Transform, [x, y, z, qx, qy, qz, qw]: PoseTuple): void {
  transform.assign({ x, y, z, qx, qy, qz, qw });
}

export function transformAt(x: number, y: number, z: number): Transform {
  return new Transform().assign({ x, y, z, qx: 0, qy: 0, qz: 0, qw: 1 });
}
