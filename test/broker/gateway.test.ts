/** Players' sockets through the broker: where they go, what a room's host is told, and who is refused how. */
import { EventEmitter, once } from "node:events";
import { createServer, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import type { BeaconList, RoomRow, SeatReservation, Where } from "@centroid/protocol";
import { Client } from "@colyseus/sdk";
import { describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { ClusterEvents, ClusterMessage, Member } from "../../server/broker/dist/cluster/cluster.js";
import { SingleBroker } from "../../server/broker/dist/cluster/single.js";
import { World } from "./support/world.js";

/** Where the gateway measures how far the hosts are. */
const BEACON = "/";

/** Stands for the hosts' side: echoes, and remembers what it was asked. */
class Upstream implements AsyncDisposable {
  readonly sessions = new EventEmitter<{ opened: [socket: WebSocket] }>();
  readonly asked: { url: string; headers: IncomingHttpHeaders }[] = [];
  readonly #server = createServer();
  readonly wss = new WebSocketServer({ server: this.#server });

  static async start(): Promise<Upstream> {
    const upstream = new Upstream();
    upstream.wss.on("connection", (socket, { url = "", headers }) => {
      socket.on("error", () => undefined);
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
      if (url === BEACON) return;
      upstream.asked.push({ url, headers });
      upstream.sessions.emit("opened", socket);
    });
    upstream.#server.listen(0, "127.0.0.1");
    await once(upstream.#server, "listening");
    return upstream;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.wss.clients) socket.terminate();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** A broker all of whose hosts are at one address. */
const worldAt = (address: string, options = {}): Promise<World> =>
  World.start(["a"], { addressBook: { translate: () => address }, ...options });

interface Heard {
  frames: Buffer[];
  code: number;
  reason: string;
}

/** Opens, says something, and tells what came until the other side closed or answered. */
async function dial(
  url: string,
  options: { say?: string; headers?: Record<string, string> } = {},
): Promise<Heard> {
  const socket = new WebSocket(url, { headers: options.headers ?? {} });
  const frames: Buffer[] = [];
  socket.on("message", (data: Buffer) => {
    frames.push(data);
    if (options.say !== undefined) socket.close(1000);
  });
  socket.on("open", () => options.say !== undefined && socket.send(options.say));
  socket.on("error", () => undefined);
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  return { frames, code, reason: reason.toString() };
}

const socketUrl = (world: World): string => world.broker.url.replace("http", "ws");
const pathOf = ({ processId, roomId, sessionId }: SeatReservation): string =>
  `/${processId}/${roomId}?sessionId=${sessionId}`;

describe("a room's socket", () => {
  it.each(["", "/"])("comes to its host at /PROCESS/ROOM%s", async (slash) => {
    await using upstream = await Upstream.start();
    await using world = await worldAt(upstream.address);
    const seat = await world.match("create", "arena");
    const { frames } = await dial(`${socketUrl(world)}${slash}${pathOf(seat)}`, { say: "hello" });
    expect(frames.map(String)).toEqual(["hello"]);
    // The gateway plays the SDK's part, except that nobody compares states.
    expect(upstream.asked.map(({ url }) => url)).toEqual([`${pathOf(seat)}&centroid=1&measure=1`]);
  });

  it("brings headers and cookies, and the address of who asks in place of what it says of itself", async () => {
    await using upstream = await Upstream.start();
    await using world = await worldAt(upstream.address);
    const seat = await world.match("create", "arena");
    await dial(`${socketUrl(world)}${pathOf(seat)}`, {
      say: "x",
      headers: {
        cookie: "a=1",
        "x-real-ip": "192.0.2.9",
        "x-forwarded-for": "192.0.2.8",
        "x-client-ip": "192.0.2.7",
      },
    });
    const { headers } = upstream.asked[0]!;
    expect(headers.cookie).toBe("a=1");
    expect(headers["x-forwarded-for"]).toBe("127.0.0.1");
    expect([headers["x-real-ip"], headers["x-client-ip"]]).toEqual([undefined, undefined]);
  });

  it("believes a trusted proxy whom it asks for", async () => {
    await using upstream = await Upstream.start();
    await using world = await worldAt(upstream.address, { trustProxy: ["127.0.0.1"] });
    const seat = await world.match("create", "arena");
    const headers = { "x-forwarded-for": "192.0.2.1, 192.0.2.8" };
    await dial(`${socketUrl(world)}${pathOf(seat)}`, { say: "x", headers });
    expect(upstream.asked[0]!.headers["x-forwarded-for"]).toBe("192.0.2.8");
  });

  it("goes to the room's owner by any process of before, and never to an address or path of the request", async () => {
    await using upstream = await Upstream.start();
    await using world = await worldAt(upstream.address);
    const seat = await world.match("create", "arena");
    for (const process of ["gone", "handoff", "standby", encodeURIComponent("127.0.0.1:1/x")])
      await dial(`${socketUrl(world)}/${process}/${seat.roomId}?sessionId=s&ticket=t`, { say: "x" });
    expect(new Set(upstream.asked.map(({ url }) => url))).toEqual(
      new Set([`/${seat.processId}/${seat.roomId}?sessionId=s&ticket=t`]),
    );
  });

  it("stops the writer when its reader does not read, and loses nothing", async () => {
    await using upstream = await Upstream.start();
    await using world = await worldAt(upstream.address);
    const seat = await world.match("create", "arena");
    const [chunk, chunks] = [Buffer.alloc(1024 * 1024), 64];
    const socket = new WebSocket(`${socketUrl(world)}${pathOf(seat)}`);
    const [[server]] = (await Promise.all([once(upstream.sessions, "opened"), once(socket, "open")])) as [
      [WebSocket],
      unknown,
    ];
    socket.pause();
    for (let sent = 0; sent < chunks; sent++) server.send(chunk);
    // Most of it must wait at the sender: sockets and pipes of the tunnel hold a few megabytes at most.
    await new Promise<void>((resolve) => {
      let before = -1;
      const timer = setInterval(() => {
        if (server.bufferedAmount === before) {
          clearInterval(timer);
          resolve();
        }
        before = server.bufferedAmount;
      }, 100);
    });
    expect(server.bufferedAmount).toBeGreaterThan((chunks / 2) * chunk.byteLength);
    let got = 0;
    socket.on("message", (data: Buffer) => {
      got += data.byteLength;
      if (got === chunks * chunk.byteLength) socket.close();
    });
    socket.resume();
    await once(socket, "close");
    expect(got).toBe(chunks * chunk.byteLength);
  });

  it("breaks alone: the others stay, and both ends of it end", async () => {
    await using upstream = await Upstream.start();
    await using world = await worldAt(upstream.address);
    const seat = await world.match("create", "arena");
    const url = `${socketUrl(world)}${pathOf(seat)}`;
    const open = async () => {
      const socket = new WebSocket(url);
      socket.on("error", () => undefined);
      const [[server]] = (await Promise.all([once(upstream.sessions, "opened"), once(socket, "open")])) as [
        [WebSocket],
        unknown,
      ];
      return { socket, server };
    };
    const [one, two, three] = [await open(), await open(), await open()];
    one.server.terminate();
    two.socket.terminate();
    const [[oneCode]] = await Promise.all([once(one.socket, "close"), once(two.server, "close")]);
    expect(oneCode).toBe(1006);
    three.socket.send("still here");
    expect(String((await once(three.socket, "message"))[0])).toBe("still here");
    three.server.close(4321, "as the host says");
    const [code, reason] = await once(three.socket, "close");
    expect([code, String(reason)]).toEqual([4321, "as the host says"]);
  });
});

describe("a refusal", () => {
  it("is Colyseus' own where there is no such room", async () => {
    await using world = await World.start(["a"]);
    const joining = await dial(`${socketUrl(world)}/p/none?sessionId=s`);
    // ROOM error frame: code 524 as uint16, then the text.
    expect(joining.frames.map((frame) => frame.toString("latin1"))).toEqual([
      "\x0b\xcd\x0c\x02\xd9\x19seat reservation expired.",
    ]);
    expect(joining.code).toBe(4002);
    expect((await dial(`${socketUrl(world)}/p/none?sessionId=s&reconnectionToken=t`)).code).toBe(4003);
    expect((await dial(`${socketUrl(world)}/p/none?sessionId=s&ticket=t`)).code).toBe(4010);
    const stock = new Client(world.broker.url);
    await expect(
      stock.consumeSeatReservation({
        name: "arena",
        roomId: "none",
        sessionId: "s",
        processId: "p",
      } as never),
    ).rejects.toMatchObject({ code: 524, message: "seat reservation expired." });
  });

  it("says to try again where the host does not answer", async () => {
    const gone = createTcpServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    const { port } = gone.address() as AddressInfo;
    gone.close();
    await once(gone, "close");
    await using world = await worldAt(`127.0.0.1:${port}`);
    const seat = await world.match("create", "arena");
    expect(await dial(`${socketUrl(world)}${pathOf(seat)}`)).toMatchObject({ code: 4010 });
  });

  it("comes as 429 to an address that asks too much", async () => {
    await using upstream = await Upstream.start();
    await using world = await worldAt(upstream.address, {
      limits: { requests: { perSecond: 0.001, burst: 3 } },
    });
    const seat = await world.match("create", "arena");
    const status = () =>
      new Promise<number | undefined>((resolve) => {
        const headers = {
          connection: "Upgrade",
          upgrade: "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
        };
        httpRequest(`${world.broker.url}${pathOf(seat)}`, { headers })
          .on("upgrade", (response, socket) => {
            socket.destroy();
            resolve(response.statusCode);
          })
          .on("response", (response) => {
            response.resume();
            resolve(response.statusCode);
          })
          .end();
      });
    expect([await status(), await status(), await status()]).toEqual([101, 101, 429]);
  });

  it("leaves nothing of a request that is broken", async () => {
    await using world = await World.start(["a"]);
    const { port } = world.broker;
    for (const head of [
      "GET /%zz/%00 HTTP/1.1",
      "GET //// HTTP/1.1",
      "GET /a/b/c HTTP/1.1",
      "GET /centroid/v1/beacon/ HTTP/1.1",
    ]) {
      const socket = connect(port, "127.0.0.1");
      socket.write(`${head}\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`);
      socket.resume();
      await once(socket, "close");
    }
    expect((await world.call("GET", "/healthz")).status).toBe(200);
  });
});

describe("the way that seats name", () => {
  const seatBy = async (world: World, headers: Record<string, string>): Promise<SeatReservation> => {
    const { port } = world.broker;
    return new Promise((resolve, reject) => {
      httpRequest({ port, method: "POST", path: "/matchmake/joinOrCreate/arena", headers }, (response) => {
        let text = "";
        response.on("data", (part) => {
          text += part;
        });
        response.on("end", () => resolve(JSON.parse(text)));
      })
        .on("error", reject)
        .end();
    });
  };
  const shown = ({ publicAddress, centroid: { way } }: SeatReservation) => [publicAddress, way];

  it("is direct, unless the request came over TLS or by another port", async () => {
    await using world = await World.start(["a"]);
    const own = `127.0.0.1:${world.broker.port}`;
    const through = [undefined, "gateway"];
    expect(shown(await seatBy(world, { host: own }))).toEqual(["a.test:1", undefined]);
    expect(shown(await seatBy(world, { host: own, "x-forwarded-proto": "https" }))).toEqual(through);
    expect(shown(await seatBy(world, { host: own, forwarded: 'for="[::1]";proto=https' }))).toEqual(through);
    expect(shown(await seatBy(world, { host: "play.example" }))).toEqual(through);
    expect(shown(await seatBy(world, { host: "[2001:db8::1]:8443" }))).toEqual(through);
    // A front that says it speaks plain HTTP leaves hosts within reach.
    expect(shown(await seatBy(world, { host: "play.example", "x-forwarded-proto": "http" }))).toEqual([
      "a.test:1",
      undefined,
    ]);
  });

  it("is the public URL where there is one, and beacons are behind it too", async () => {
    await using upstream = await Upstream.start();
    await using world = await worldAt(upstream.address, { publicUrl: "https://[2001:db8::1]:8443/game/" });
    const seat = await world.match("create", "arena");
    expect(shown(seat)).toEqual(["[2001:db8::1]:8443/game", "gateway"]);
    const where = await world.get<Where>(`/centroid/v1/where/${seat.roomId}`);
    expect([where.publicAddress, where.way]).toEqual(["[2001:db8::1]:8443/game", "gateway"]);
    const { beacons } = await world.get<BeaconList>("/centroid/v1/beacons?hosts=a&network=dsl");
    expect(beacons.map(({ url }) => url)).toEqual(["/centroid/v1/beacon/a?network=dsl"]);
    const { frames } = await dial(`${socketUrl(world)}${beacons[0]!.url}`, { say: "7" });
    expect(frames.map(String)).toEqual(["7"]);
    await expect(World.start([], { publicUrl: "play.example" })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });
});

describe("a seat that a room makes", () => {
  const addressOf = async (options: object): Promise<unknown> => {
    await using world = await World.start(["a"], options);
    const { roomId } = await world.match("create", "arena");
    const [row] = (await world.agent("a").ask({ method: "rooms", roomIds: [roomId] })) as RoomRow[];
    return row?.publicAddress;
  };

  it("names the public address if there is one, else the host's own", async () => {
    expect(await addressOf({})).toBe("a.test:1");
    expect(await addressOf({ publicUrl: "https://play.example/game/" })).toBe("play.example/game");
  });
});

describe("among several brokers", () => {
  /** This broker decides about all rooms or about none, and says and hears what the test wants. */
  class OneOfTwo extends SingleBroker {
    readonly said: { kind: string; body: unknown }[] = [];
    hear: (message: ClusterMessage) => void = () => undefined;
    override async join(self: Member, events: ClusterEvents): Promise<void> {
      this.hear = events.message;
      await super.join(self, events);
    }
    override members(): readonly Member[] {
      return [...super.members(), { brokerId: "other", url: "http://127.0.0.1:1" }];
    }
    override publish(kind: string, body: unknown): void {
      this.said.push({ kind, body });
    }
  }

  it("a place that one of them had made is known to all, so that players may come to any", async () => {
    await using here = await Upstream.start();
    await using there = await Upstream.start();
    const cluster = new OneOfTwo();
    await using world = await World.start(["a", "b"], {
      cluster,
      addressBook: {
        translate: (_address: string, hostId: string) => (hostId === "a" ? here : there).address,
      },
    });
    const seat = await world.match("create", "arena");
    const to = seat.processId.startsWith("a") ? "b" : "a";
    await world.move(seat.roomId, to);
    const place = { roomId: seat.roomId, hostId: to, processId: `${to}-1`, address: `${to}.test:1` };
    expect(cluster.said).toContainEqual({ kind: "place", body: place });
    // What another broker says of a place leads there.
    const from = to === "a" ? "b" : "a";
    const next = { ...place, hostId: from, processId: `${from}-9`, address: `${from}.test:9` };
    cluster.hear({ from: "other", kind: "place", body: next });
    const path = `/${from}-9/${seat.roomId}?sessionId=${seat.sessionId}&ticket=t`;
    await dial(`${socketUrl(world)}${path}`, { say: "x" });
    const asked = [...here.asked, ...there.asked].map(({ url }) => url);
    expect(asked).toEqual([path]);
  });
});
