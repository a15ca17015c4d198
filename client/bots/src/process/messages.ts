/** Parent and worker processes talk in these, over Node's IPC. */
import { z } from "zod";
import { tallySchema } from "../measure/tally.js";
import { PLAYABLE_ROOMS } from "../player/behaviours.js";

const planSchema = z.object({
  playerId: z.string(),
  group: z.number().int(),
  homeCityId: z.string(),
  legs: z.array(z.object({ atMs: z.number(), cityId: z.string() })),
  visits: z.array(z.object({ fromMs: z.number(), toMs: z.number() })),
});

export const toWorkerSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("start"),
    brokerUrl: z.string(),
    emulatorControlUrl: z.string().optional(),
    roomType: z.enum(PLAYABLE_ROOMS),
    inputsPerSecond: z.number().positive(),
    seed: z.number().int(),
    plans: z.array(planSchema),
  }),
  z.object({ type: z.literal("stop") }),
]);
export type ToWorker = z.infer<typeof toWorkerSchema>;
export type StartWorker = Extract<ToWorker, { type: "start" }>;

export const toParentSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("tally"), tally: tallySchema }),
  z.object({ type: z.literal("done"), tally: tallySchema }),
]);
export type ToParent = z.infer<typeof toParentSchema>;
