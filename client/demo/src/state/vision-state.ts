/** State of the vision room: who is in it, and which faces were found in whose pictures. */
import { type SchemaType, schema, t } from "@colyseus/schema";
import { Ledger } from "./ledger.js";

/** Where a face is, as shares of the picture's width and height. */
export const Face = schema(
  {
    x: t.float32().default(0),
    y: t.float32().default(0),
    width: t.float32().default(0),
    height: t.float32().default(0),
    score: t.float32().default(0),
    /** Empty until it was recognised. */
    name: t.string().default(""),
  },
  "Face",
);
export type Face = SchemaType<typeof Face>;

export const Camera = schema(
  {
    name: t.string().default(""),
    /** Number of the last picture that was looked at. */
    picture: t.uint32().default(0),
    faces: t.array(Face),
    /** Gets the others' pictures, too. */
    watches: t.boolean().default(false),
    ledger: t.ref(Ledger),
  },
  "Camera",
);
export type Camera = SchemaType<typeof Camera>;

export const VisionState = schema(
  {
    players: t.map(Camera),
    /** Number of the last `seen` that was broadcast. */
    broadcasts: t.uint32().default(0),
  },
  "VisionState",
);
export type VisionState = SchemaType<typeof VisionState>;
