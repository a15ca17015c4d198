/** What clients of the demo rooms may send. Anything else is refused before a handler sees it. */
import { z } from "zod";

const uint32 = z.number().int().min(0).max(0xffff_ffff);
const numbered = { n: uint32.min(1), nonce: uint32 };
const coordinate = z.number().min(-1000).max(1000);

/** Sent back as it came: a round trip by the application's own measure. */
export const echoSchema = z.object({ t: z.number() });

export const inputSchema = z.object({
  ...numbered,
  x: coordinate,
  y: coordinate,
  fire: z.boolean().optional(),
});
export type Input = z.infer<typeof inputSchema>;

/** Position x, y, z in metres, then a unit quaternion x, y, z, w. */
const poseTupleSchema = z.tuple([
  coordinate,
  coordinate,
  coordinate,
  z.number().min(-1).max(1),
  z.number().min(-1).max(1),
  z.number().min(-1).max(1),
  z.number().min(-1).max(1),
]);
export type PoseTuple = z.infer<typeof poseTupleSchema>;

export const poseSchema = z.object({
  ...numbered,
  head: poseTupleSchema,
  left: poseTupleSchema,
  right: poseTupleSchema,
});
export type Pose = z.infer<typeof poseSchema>;

const handSchema = z.enum(["left", "right"]);
export type Hand = z.infer<typeof handSchema>;
export const grabSchema = z.object({ objectId: z.string().max(32), hand: handSchema });
/** As fast as an arm throws, m/s. */
const speed = z.number().min(-12).max(12);
const velocitySchema = z.tuple([speed, speed, speed]);
export type Velocity = z.infer<typeof velocitySchema>;
/** With a velocity (m/s) it is thrown, else let go. */
export const releaseSchema = z.object({ hand: handSchema, velocity: velocitySchema.optional() });
/** From one player to another: how two browsers agree on a voice connection. The room does not look inside. */
export const signalSchema = z.object({ to: z.string().max(64), data: z.string().max(20_000) });
export const emoteSchema = z.object({ kind: z.enum(["wave", "laugh", "clap"]) });
export const joinSchema = z.object({ name: z.string().min(1).max(40).optional() }).optional();
/** Pictures are 320 x 240; a camera's JPEG of that size has 4 to 13 KB. */
const MAX_JPEG_BYTES = 40_000;
/** A picture to look at. */
export const lookSchema = z.object({
  ...numbered,
  jpeg: z
    .instanceof(Uint8Array, { error: "a picture is the bytes of a JPEG" })
    .refine((bytes) => bytes.byteLength <= MAX_JPEG_BYTES, `a picture has at most ${MAX_JPEG_BYTES} bytes`)
    .refine((bytes) => bytes[0] === 0xff && bytes[1] === 0xd8, "a picture is a JPEG"),
});
export type LookMessage = z.infer<typeof lookSchema>;
/** Whether to get the others' pictures. */
export const watchSchema = z.boolean();
