/** Where the programs of this package are, for whoever forks them. */
import { fileURLToPath } from "node:url";

/** Entry point of a room host process; its configuration comes in `CENTROID_ROOM_HOST`. */
export const ROOM_HOST_MAIN: string = fileURLToPath(new URL("./main.js", import.meta.url));
/** Entry point of a project's HTTP side; its configuration comes in `CENTROID_APP_HOST`. */
export const APP_MAIN: string = fileURLToPath(new URL("./app/app-main.js", import.meta.url));
