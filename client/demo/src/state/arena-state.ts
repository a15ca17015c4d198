/** State of the arena: one target that all see, players who aim at it. */
import { type SchemaType, schema, t } from "@colyseus/schema";
import { Ledger } from "./ledger.js";

export const Target = schema({ x: t.float32().default(0), y: t.float32().default(0) }, "Target");

export const ArenaPlayer = schema(
  {
    name: t.string().default(""),
    /** Where it aims. */
    x: t.float32().default(0),
    y: t.float32().default(0),
    shots: t.uint32().default(0),
    hits: t.uint32().default(0),
    score: t.uint32().default(0),
    ledger: t.ref(Ledger),
  },
  "ArenaPlayer",
);
export type ArenaPlayer = SchemaType<typeof ArenaPlayer>;

export const ArenaState = schema(
  {
    /** Time the target has been moving, ms. */
    elapsedMs: t.float64().default(0),
    target: t.ref(Target),
    players: t.map(ArenaPlayer),
    /** Number of the last `shot` that was broadcast. */
    broadcasts: t.uint32().default(0),
  },
  "ArenaState",
);
export type ArenaState = SchemaType<typeof ArenaState>;
