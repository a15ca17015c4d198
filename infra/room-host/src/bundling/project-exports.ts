/**
 * A Colyseus project as its configuration file exports it: room types, and the server that it configures but does not
 * start. Part of every bundle of a project, so that it runs where that is loaded.
 */
import {
  defineServer,
  matchMaker,
  type RegisteredHandler,
  type Room,
  Server,
  setDevMode,
} from "@colyseus/core";

// While Colyseus believes that somebody else runs the server, defineServer() only keeps what it is told.
setDevMode(true);

type RoomDefinition = (new () => Room) | RegisteredHandler;

/** What a project has besides rooms. */
export interface ColyseusProject {
  /** Not started: what it listens on and how rooms find each other is the deployment's. */
  server: Server;
  /** The project's own copy of express, if it has one. */
  loadExpress: () => unknown;
  /** What the operator should know of it. */
  notices: string[];
}

/** What `config()` of @colyseus/tools returns, the way of older templates. */
interface ToolsConfig {
  options?: object;
  rooms?: Record<string, RegisteredHandler>;
  routes?: never;
  initializeTransport?: unknown;
  initializeExpress?: never;
  initializeGameServer?: (server: Server) => void;
  beforeListen?: () => void;
}

/** The deployment has its own of these. */
const IGNORED = [
  "transport",
  "presence",
  "driver",
  "publicAddress",
  "selectProcessIdToCreateRoom",
  "isStandaloneMatchMaker",
  "devMode",
  "initializeTransport",
];

/**
 * @param exported all exports of the file
 * @throws Error with the file, if it exports no server or the server has no rooms
 */
export async function readProject(
  exported: Record<string, unknown>,
  file: string,
  loadExpress: () => unknown,
): Promise<{ rooms: Record<string, RoomDefinition>; app: ColyseusProject }> {
  const given = exported.default ?? exported.server ?? exported.app;
  const server = await serverOf(given);
  setDevMode(false);
  if (server === undefined)
    throw new Error(
      `${file} exports no server; its default export must be what defineServer() of Colyseus returns`,
    );
  const rooms = { ...matchMaker.getAllHandlers(), ...(server["~rooms"] as Record<string, RoomDefinition>) };
  if (Object.keys(rooms).length === 0) throw new Error(`the server that ${file} exports defines no rooms`);
  if (server.options.express !== undefined && loadExpress() === undefined)
    throw new Error(`${file} has an express hook, but the package express cannot be loaded; install it`);
  const set = { ...server.options, ...(given instanceof Server ? {} : Object(given)) };
  const ignored = IGNORED.filter((name) => set[name as keyof typeof set] !== undefined);
  const notices =
    ignored.length === 0 ? [] : [`${file}: ${ignored.join(", ")} of the server has no effect here`];
  return { rooms, app: { server, loadExpress, notices } };
}

async function serverOf(given: unknown): Promise<Server | undefined> {
  if (given instanceof Server) return given;
  if (typeof given !== "object" || given === null) return undefined;
  const { options, rooms, routes, initializeExpress, initializeGameServer, beforeListen } =
    given as ToolsConfig;
  if (rooms === undefined && initializeGameServer === undefined) return undefined;
  const server: Server = defineServer({
    ...options,
    rooms: rooms ?? {},
    ...(routes !== undefined && { routes }),
    ...(initializeExpress !== undefined && { express: initializeExpress }),
    ...(beforeListen !== undefined && { beforeListen }),
  });
  await initializeGameServer?.(server);
  return server;
}
