/** For tests of your own rooms: a broker and real hosts on this machine, and moving a room by hand. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { roomEnvironment, startAgent } from "@centroid/agent";
import { startBroker } from "@centroid/broker";
import { embeddedGateway } from "@centroid/gateway";
import { callRoute, controlRoutes, type Receipt } from "@centroid/protocol";
import { DisposalStack } from "@centroid/protocol/node";
import { bundleApp, bundleRooms } from "@centroid/room-host/bundling";

/** What {@link startTestSystem} runs: `rooms` or `app`. */
export interface TestSystemOptions {
  /** Folder with one file per room type. */
  rooms?: string;
  /** In its place: the file that exports a Colyseus project's server. Its HTTP routes are served, too. */
  app?: string;
  /** Ids of the hosts; two if not given. */
  hosts?: readonly string[];
}

/** A broker and its hosts, until it is disposed. */
export interface TestSystem extends AsyncDisposable {
  /** For `CentroidClient`. */
  readonly url: string;
  /** @throws CentroidError as the control API gives it */
  move(roomId: string, toHostId: string): Promise<Receipt>;
}

/**
 * Starts everything on free ports; rooms move only when told to.
 * @throws CentroidError CONFIG_INVALID for rooms that do not compile
 */
export async function startTestSystem(options: TestSystemOptions): Promise<TestSystem> {
  const { rooms = "rooms", app, hosts = ["a", "b"] } = options;
  const owned = new DisposalStack();
  try {
    const folder = await mkdtemp(join(tmpdir(), "centroid-test-"));
    owned.defer(() => rm(folder, { recursive: true, force: true }));
    const environment = roomEnvironment(process.env, []);
    const {
      path: roomsBundle,
      roomTypes,
      roomWork,
    } = await (app === undefined
      ? bundleRooms(rooms, folder, environment)
      : bundleApp(app, folder, environment));
    const broker = owned.use(
      await startBroker({
        port: 0,
        autoMove: false,
        limits: false,
        app: app !== undefined,
        gateway: embeddedGateway,
        carryStockPlayers: true,
      }),
    );
    const started = await Promise.allSettled(
      hosts.map((hostId, at) =>
        startAgent({
          hostId,
          name: hostId,
          brokerUrls: [broker.url.replace(/^http/, "ws")],
          token: broker.agentToken,
          latitude: 0,
          longitude: (360 * at) / hosts.length - 180,
          roomsBundle,
          roomTypes,
          roomWork,
          app: app !== undefined && at === 0,
        }),
      ),
    );
    for (const result of started) if (result.status === "fulfilled") owned.use(result.value);
    const failed = started.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return {
      url: broker.url,
      async move(roomId, hostId) {
        const access = { base: broker.url, headers: { authorization: `Bearer ${broker.adminToken}` } };
        return callRoute(controlRoutes.move, { params: { roomId }, body: { hostId } }, access);
      },
      [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
    };
  } catch (cause) {
    await owned[Symbol.asyncDispose]();
    throw cause;
  }
}
