/** The demo world's rooms. */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

export { mixChecksum } from "./state/ledger.js";

/** Folder with one file per room type: `arena`, `naf`, `plaza`, `vision`. */
export const DEMO_ROOMS_DIR: string = fileURLToPath(new URL("./rooms", import.meta.url));

/** The same with what a benchmark of moves runs: `load`. */
export const LOAD_ROOMS_DIR: string = fileURLToPath(new URL("./load-rooms", import.meta.url));

/** The built pages: `play/`, `see/` and `vr/`, with what they share in `assets/`. */
export const DEMO_WEB_DIR: string = fileURLToPath(new URL("../dist-web", import.meta.url));

/** Whether the model of the room `vision` is here: in a checkout it is, with an installed package it does not come. */
export function hasVision(): boolean {
  try {
    createRequire(import.meta.url).resolve("@vladmandic/face-api/package.json");
    return true;
  } catch {
    return false;
  }
}
