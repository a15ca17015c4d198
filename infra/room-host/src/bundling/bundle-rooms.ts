/**
 * A folder of room files, or a whole project, becomes one module that loads: what is wrong with it is found here, when
 * the operator starts, not when the first player comes.
 */
import { fork } from "node:child_process";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { CentroidError, roomWorkSchema } from "@centroid/protocol";
import { z } from "zod";
import { buildRooms, type RoomsModule } from "./build-rooms.js";
import { appEntry, ENTRY_NAME, folderEntry, type RoomsEntry } from "./entries.js";

export interface RoomsBundle extends RoomsModule {
  roomTypes: string[];
  /** By room type: what its class says that its rooms compute. */
  roomWork: Record<string, z.infer<typeof roomWorkSchema>>;
  /** What the operator should know of it. */
  notices: string[];
}

const INSPECT_MAIN = fileURLToPath(new URL("./inspect-rooms-main.js", import.meta.url));
/** As long as a room host may take to start. */
const LOAD_TIMEOUT_MS = 60_000;

const inspectedSchema = z.union([
  z.object({
    roomTypes: z.array(z.string()),
    roomWork: z.record(z.string(), roomWorkSchema),
    notices: z.array(z.string()),
  }),
  z.object({ failed: z.string(), stack: z.string() }),
]);

/**
 * Files with a class that extends Room: a default export is the room type that the file is named after, another export
 * the type of its own name. An `index` file says for all of them. Other files and exports are helpers.
 * @param environment what rooms find in theirs when they load
 * @throws CentroidError CONFIG_INVALID with the file and what is wrong with it
 */
export async function bundleRooms(
  roomsDir: string,
  outDir: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<RoomsBundle> {
  return bundle(await folderEntry(roomsDir), outDir, environment);
}

/**
 * The file of a Colyseus project that exports its server, as `defineServer()` returns it; `src/app.config.ts` in projects
 * made from Colyseus' template. All room types are those that it defines.
 * @param environment what the project finds in its own when it loads
 * @throws CentroidError CONFIG_INVALID with the file and what is wrong with it
 */
export async function bundleApp(
  appFile: string,
  outDir: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<RoomsBundle> {
  return bundle(await appEntry(appFile), outDir, environment);
}

async function bundle(
  entry: RoomsEntry,
  outDir: string,
  environment: NodeJS.ProcessEnv,
): Promise<RoomsBundle> {
  const built = await buildRooms(entry, outDir);
  const inspected = await inspect(built.path, environment);
  if ("roomTypes" in inspected) return { ...built, ...inspected };
  const where = sourceOf(inspected.stack, dirname(built.path), entry.folder);
  throw new CentroidError("CONFIG_INVALID", `rooms do not load: ${where}${inspected.failed}`);
}

function inspect(path: string, environment: NodeJS.ProcessEnv): Promise<z.infer<typeof inspectedSchema>> {
  const child = fork(INSPECT_MAIN, [path], {
    env: environment,
    execArgv: ["--enable-source-maps"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  return new Promise((done) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      done({ failed: `they have not finished loading after ${LOAD_TIMEOUT_MS / 1000} s`, stack: "" });
    }, LOAD_TIMEOUT_MS);
    child.once("message", (raw) => done(inspectedSchema.parse(raw)));
    child.once("error", (cause) => done({ failed: cause.message, stack: "" }));
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      done({ failed: `their code ended the process (${signal ?? `code ${code}`})`, stack: "" });
    });
  });
}

/** The first line of the rooms' own sources in a stack, as the operator can open it. */
function sourceOf(stack: string, bundleDir: string, roomsDir: string): string {
  for (const [, file = "", line = ""] of stack.matchAll(/\(?(?:file:\/\/)?(\/[^():]+):(\d+):\d+\)?/g)) {
    if (!file.startsWith(bundleDir + sep) || file.endsWith("rooms.mjs") || file.endsWith(ENTRY_NAME))
      continue;
    return `${relative(process.cwd(), join(roomsDir, relative(bundleDir, file)))}:${line}: `;
  }
  return "";
}
