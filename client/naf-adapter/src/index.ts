/** Registers the adapter `centroid` with networked-aframe, which must be loaded before this. */
import { CentroidError } from "@centroid/sdk";
import { CentroidAdapter } from "./adapter.js";
import type { NafGlobal } from "./naf.js";

export { CentroidAdapter } from "./adapter.js";
export type { NafAdapter } from "./naf.js";

const { NAF } = globalThis as { NAF?: NafGlobal };
if (NAF === undefined)
  throw new CentroidError("INTERNAL", "load networked-aframe before @centroid/naf-adapter: there is no NAF");
NAF.adapters.register("centroid", CentroidAdapter);
