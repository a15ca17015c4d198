/** What a lab keeps of itself on disk, so that every process on the box finds it. */
import { existsSync } from "node:fs";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { namespacesOf } from "./namespaces.js";
import { linkPropertiesSchema } from "./topology.js";

/** Gone after a reboot, like the namespaces themselves. */
const labsDirectory = "/run/centroid";
export const programDirectory = join(labsDirectory, ".bin");
export const directoryOf = (lab: string) => join(labsDirectory, lab);

const placeSchema = z.object({ name: z.string(), namespace: z.string(), address: z.string() });
const linkStateSchema = linkPropertiesSchema.extend({ a: z.string(), b: z.string() });
const stateSchema = z.object({
  name: z.string(),
  hosts: z.array(placeSchema),
  sites: z.array(placeSchema),
  links: z.array(linkStateSchema),
  kind: z.enum(["machines", "containers"]).default("machines"),
  switch: z.object({ pid: z.number(), controlPath: z.string() }).optional(),
});
export type LabState = z.infer<typeof stateSchema>;
export type LabPlace = z.infer<typeof placeSchema>;

const statePath = (lab: string) => join(directoryOf(lab), "state.json");

export async function writeState(state: LabState): Promise<void> {
  const path = statePath(state.name);
  await writeFile(`${path}.new`, JSON.stringify(state, null, 2));
  await rename(`${path}.new`, path);
}

/** Undefined if there is none that can be read. */
export async function readLabState(lab: string): Promise<LabState | undefined> {
  try {
    return stateSchema.parse(JSON.parse(await readFile(statePath(lab), "utf8")));
  } catch {
    return undefined;
  }
}

/** Whether there is anything of a lab of this name, or left of one. */
export async function hasTraces(lab: string): Promise<boolean> {
  return existsSync(statePath(lab)) || (await namespacesOf(lab)).length > 0;
}

/** Of the labs that are up on this machine. */
export async function labNames(): Promise<string[]> {
  const entries = await readdir(labsDirectory).catch(() => []);
  return entries.filter((entry) => existsSync(statePath(entry)));
}
