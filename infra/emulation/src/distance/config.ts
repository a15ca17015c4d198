/** What the emulator is told: sites, hosts, who is where. Parsed by zod wherever it crosses a process. */
import { idSchema, networkSchema } from "@centroid/protocol";
import { z } from "zod";

/** Labels are free text of the player's network; they travel percent-encoded in a URL path. */
const labelSchema = networkSchema.min(1);
const siteIdSchema = z.string().min(1).max(64);
const portSchema = z.number().int().min(1).max(65535);

export const emulatorOptionsSchema = z
  .strictObject({
    /** Round trip in ms from a site to a site; rows need the sites of all hosts. */
    rttMs: z.record(siteIdSchema, z.record(siteIdSchema, z.number().finite().nonnegative())),
    hosts: z.array(z.strictObject({ hostId: idSchema, siteId: siteIdSchema })),
    /** Where labels are that were never told a site; without it they are refused. */
    defaultSiteId: siteIdSchema.optional(),
    /** Each chunk is late by a random 0..jitterMs per direction on top of the table. */
    jitterMs: z.number().finite().nonnegative().default(0),
    /** Hosts are in a lab's namespaces, and so is the emulator; players still reach it on loopback. */
    lab: z
      .strictObject({
        namespace: z.string(),
        controlPath: z.string(),
        /** Addresses of the hosts themselves; guests are looked for. */
        hosts: z.record(idSchema, z.string()),
      })
      .optional(),
    /** 0 lets the system choose. */
    port: z.number().int().min(0).max(65535).default(0),
  })
  .superRefine(({ rttMs, hosts, defaultSiteId }, context) => {
    if (defaultSiteId !== undefined && !rttMs[defaultSiteId]) {
      context.addIssue(`defaultSiteId ${defaultSiteId} has no row in rttMs`);
    }
    for (const { hostId, siteId } of hosts) {
      if (!rttMs[siteId]) context.addIssue(`host ${hostId}: site ${siteId} has no row in rttMs`);
      for (const [from, row] of Object.entries(rttMs)) {
        if (row[siteId] === undefined) context.addIssue(`rttMs has no entry from ${from} to ${siteId}`);
      }
    }
  });
export type DistanceEmulatorOptions = z.input<typeof emulatorOptionsSchema>;
export type EmulatorConfig = z.output<typeof emulatorOptionsSchema>;

/** `PUT /control/labels` */
export const setSiteSchema = z.strictObject({ label: labelSchema, siteId: siteIdSchema });
/** `PUT /control/targets`: an address of a host that players may reach. */
export const targetSchema = z.strictObject({ hostId: idSchema, port: portSchema });
/** `GET /control` */
export const emulatorStatusSchema = z.object({
  sites: z.array(z.string()),
  hosts: z.array(z.object({ hostId: z.string(), siteId: z.string() })),
  labels: z.record(z.string(), z.string()),
  connections: z.number().int(),
});
export type EmulatorStatus = z.infer<typeof emulatorStatusSchema>;
export const controlErrorSchema = z.object({ error: z.string() });

/** Owner to emulator process, over IPC; the emulator ends when the channel does. */
export const ownerMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("start"), options: emulatorOptionsSchema }),
  z.object({ type: z.literal("target"), target: targetSchema }),
]);
export type OwnerMessage = z.input<typeof ownerMessageSchema>;

/** Emulator process to owner. */
export const emulatorMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("listening"), port: portSchema }),
  z.object({ type: z.literal("failed"), code: z.enum(["PORT_IN_USE", "INTERNAL"]), message: z.string() }),
]);
export type EmulatorMessage = z.infer<typeof emulatorMessageSchema>;
