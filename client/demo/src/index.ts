/** The demo world's rooms. */
import { fileURLToPath } from "node:url";

export { mixChecksum } from "./state/ledger.js";

/** Folder with one file per room type: `arena`, `plaza`. */
export const DEMO_ROOMS_DIR: string = fileURLToPath(new URL("./rooms", import.meta.url));

/** The same with what a benchmark of moves runs: `load`. */
export const LOAD_ROOMS_DIR: string = fileURLToPath(new URL("./load-rooms", import.meta.url));

/** The built pages: `play/` and `vr/`, with what they share in `assets/`. */
export const DEMO_WEB_DIR: string = fileURLToPath(new URL("../dist-web", import.meta.url));
