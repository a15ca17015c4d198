/** Lets the demo's page put its own players into other cities; there only where distances are emulated. */
import { CentroidError, networkSchema, tryRead } from "@centroid/protocol";
import type { FastifyInstance } from "fastify";
import { z } from "zod";

const relayStatusSchema = z.object({ sites: z.array(z.string()) });
const paramsSchema = z.object({ network: networkSchema.min(1) });
const siteSchema = z.strictObject({ siteId: z.string().min(1).max(64) });

/** @param emulationUrl control URL of the distance emulator */
export function emulationRoutes(app: FastifyInstance, emulationUrl: string): void {
  app.get("/centroid/v1/emulation", async () => {
    const response = await fetch(emulationUrl);
    const { sites } = relayStatusSchema.parse(await response.json());
    return { sites };
  });

  app.put("/centroid/v1/emulation/:network", async ({ params, body }) => {
    const label = tryRead(paramsSchema, params);
    const site = tryRead(siteSchema, body);
    if (!label.success || !site.success)
      throw new CentroidError("BAD_REQUEST", 'send { "siteId": "tokyo" } to .../emulation/NETWORK');
    const response = await fetch(`${emulationUrl}/labels`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ label: label.data.network, siteId: site.data.siteId }),
    });
    if (!response.ok)
      throw new CentroidError("NOT_FOUND", `no city "${site.data.siteId}" in the emulated network`);
    return { network: label.data.network, siteId: site.data.siteId };
  });
}
