/** The client's half of a move against scripted hosts on real sockets: every order in which things can arrive. */
import { EventEmitter, once } from "node:events";
import { decodeClientControl, encodeControl, isControl, type ServerControl } from "@centroid/protocol";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { MigratingTransport } from "../../client/sdk/dist/migrating-transport.js";
import type { Move } from "../../client/sdk/dist/transport-events.js";

const HOST = { hostId: "b", name: "B", latitude: 0, longitude: 0 };
const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0).reverse()) close();
});

/** A room host that does what the test says. */
class ScriptedHost {
  readonly #server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  readonly got: number[] = [];
  connections = 0;
  socket!: WebSocket;

  static async start(): Promise<ScriptedHost> {
    const host = new ScriptedHost();
    await once(host.#server, "listening");
    open.push(() => host.#server.close());
    host.#server.on("connection", (socket) => {
      host.socket = socket;
      host.connections++;
      open.push(() => socket.terminate());
      socket.on("message", (data: Buffer) => {
        if (!isControl(data)) host.got.push(data.readUInt32LE(0));
      });
    });
    return host;
  }

  get url(): string {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? `ws://127.0.0.1:${address.port}/` : "";
  }

  async connected(): Promise<void> {
    if (this.socket === undefined) await once(this.#server, "connection");
  }

  /** The client knows, too. */
  async open(): Promise<void> {
    await this.connected();
    this.socket.ping();
    await once(this.socket, "pong");
  }

  say(number: number): void {
    const frame = Buffer.alloc(4);
    frame.writeUInt32LE(number);
    this.socket.send(frame);
  }

  control(message: ServerControl): void {
    this.socket.send(encodeControl(message));
  }
}

function player(
  url: string,
  now: () => string | Promise<string> = () => url,
  reconnectionToken?: string,
): {
  transport: MigratingTransport;
  heard: number[];
  moves: Move[];
  closed: number[];
  say: (n: number) => void;
} {
  const heard: number[] = [];
  const moves: Move[] = [];
  const closed: number[] = [];
  const transport = new MigratingTransport(
    {
      onmessage: ({ data }) => heard.push(Buffer.from(data as ArrayBuffer).readUInt32LE(0)),
      onclose: ({ code }) => closed.push(code),
    },
    {
      moving: () => undefined,
      cancelled: () => undefined,
      compare: () => undefined,
      ordered: () => undefined,
      measure: () => undefined,
      moved: (move) => moves.push(move),
      undelivered: () => undefined,
    },
    {
      epoch: 1,
      reconnectionToken: () => reconnectionToken,
      locate: async () => ({ url: await now(), epoch: 1, host: HOST, restoring: false }),
    },
  );
  open.push(() => transport.close());
  transport.connect(url);
  const say = (n: number): void => {
    const frame = Buffer.alloc(4);
    frame.writeUInt32LE(n);
    transport.send(frame);
  };
  return { transport, heard, moves, closed, say };
}
const moving = (url: string): ServerControl => ({
  type: "moving",
  migrationId: "m",
  epoch: 2,
  url,
  ticket: "t",
  host: HOST,
});

describe("a move, seen from the player", () => {
  it.each([2, 0])("asks the new host for what the old connection lost, and gets %i frames", async (count) => {
    const [a, b] = [await ScriptedHost.start(), await ScriptedHost.start()];
    const me = player(a.url);
    await a.connected();
    a.say(1);
    a.control(moving(b.url));
    await b.connected();
    await expect.poll(() => me.heard).toEqual([1]);
    const asked = new Promise<number>((resolve) => {
      b.socket.on("message", (data: Buffer) => {
        if (!isControl(data)) return;
        const message = decodeClientControl(data);
        if (message.type === "replay") resolve(message.received);
      });
    });
    b.control({ type: "resumed", epoch: 2, received: 0, sent: 3, patchRateMs: 10 });
    b.say(4);
    a.socket.terminate();
    expect(await asked).toBe(1);
    b.control({ type: "replaying", count });
    for (let n = 0; n < count; n++) b.say(2 + n);
    await expect.poll(() => me.heard).toEqual(count === 2 ? [1, 2, 3, 4] : [1, 4]);
    await expect.poll(() => me.moves.map(({ lost }) => lost)).toEqual([2 - count]);
  });

  it("holds the new host's frames until the last of the old one is in (MSG-6)", async () => {
    const [a, b] = [await ScriptedHost.start(), await ScriptedHost.start()];
    const me = player(a.url);
    await a.connected();
    a.say(1);
    a.control(moving(b.url));
    await b.connected();
    b.control({ type: "resumed", epoch: 2, received: 0, sent: 3, patchRateMs: 50 });
    b.say(4);
    await expect.poll(() => me.heard).toEqual([1]);
    a.say(2);
    a.say(3);
    await expect.poll(() => me.heard).toEqual([1, 2, 3, 4]);
    await expect.poll(() => me.moves).toMatchObject([{ lost: 0, duplicated: 0, to: HOST }]);
  });

  it.each(["before", "after", "never"] as const)(
    "goes over to the standby that it is connected to, with all that the old host said, which speaks of it %s the destination does (MSG-6)",
    async (order) => {
      const [a, b] = [await ScriptedHost.start(), await ScriptedHost.start()];
      const me = player(a.url, undefined, "token");
      await a.connected();
      a.say(1);
      a.control({ type: "standby", url: b.url, host: HOST });
      await b.open();
      const tell = (): void => a.control({ ...moving(b.url), promotes: true } as ServerControl);
      if (order === "before") tell();
      b.control({ type: "resumed", epoch: 2, migrationId: "m", received: 0, sent: 3, patchRateMs: 10 });
      b.say(4);
      await b.open();
      if (order === "after") tell();
      me.say(1);
      a.say(2);
      await expect.poll(() => me.heard).toEqual([1, 2]);
      a.say(3);
      await expect.poll(() => me.heard).toEqual([1, 2, 3, 4]);
      await expect.poll(() => b.got).toEqual([1]);
      await expect.poll(() => me.moves).toMatchObject([{ migrationId: "m", lost: 0, restored: false }]);
      expect([b.connections, me.closed]).toEqual([1, []]);
    },
  );

  it("dials the destination that was its standby if that connection breaks", async () => {
    const [a, b] = [await ScriptedHost.start(), await ScriptedHost.start()];
    const me = player(a.url, undefined, "token");
    await a.connected();
    a.say(1);
    a.control({ type: "standby", url: b.url, host: HOST });
    await b.open();
    a.control({ ...moving(b.url), promotes: true } as ServerControl);
    a.say(2);
    await expect.poll(() => me.heard).toEqual([1, 2]);
    b.socket.terminate();
    await expect.poll(() => b.connections).toBe(2);
    b.control({ type: "resumed", epoch: 2, migrationId: "m", received: 0, sent: 2, patchRateMs: 10 });
    b.say(3);
    await expect.poll(() => me.heard).toEqual([1, 2, 3]);
    expect(me.closed).toEqual([]);
  });

  it("sends again what the old host had not processed, and only that (MSG-4)", async () => {
    const [a, b] = [await ScriptedHost.start(), await ScriptedHost.start()];
    const me = player(a.url);
    await a.connected();
    await expect.poll(() => me.transport.isOpen).toBe(true);
    for (const n of [1, 2, 3]) me.say(n);
    a.control(moving(b.url));
    await b.connected();
    me.say(4);
    b.control({ type: "resumed", epoch: 2, received: 2, sent: 0, patchRateMs: 50 });
    await expect.poll(() => b.got).toEqual([3, 4]);
    me.say(5);
    await expect.poll(() => b.got).toEqual([3, 4, 5]);
  });

  it("keeps what the new host has processed until that survives it: it may die before it is saved (MSG-3)", async () => {
    const [a, b, c] = [await ScriptedHost.start(), await ScriptedHost.start(), await ScriptedHost.start()];
    const me = player(a.url, () => c.url, "token");
    await a.connected();
    a.say(1);
    await expect.poll(() => me.heard).toEqual([1]);
    for (const n of [1, 2, 3]) me.say(n);
    a.control({ type: "ack", received: 1 });
    a.control(moving(b.url));
    await b.connected();
    b.control({ type: "resumed", epoch: 2, received: 3, sent: 1, patchRateMs: 10 });
    b.say(2);
    await expect.poll(() => me.heard).toEqual([1, 2]);
    me.say(4);
    await expect.poll(() => b.got).toEqual([4]);
    b.socket.terminate();
    await c.connected();
    c.control({ type: "resumed", epoch: 3, received: 1, sent: 1, patchRateMs: 10, restored: true });
    await expect.poll(() => c.got).toEqual([2, 3, 4]);
    await expect.poll(() => me.moves.at(-1)).toMatchObject({ restored: true, lost: 0, undone: 1 });
  });

  it("what is lost for good is counted, and the next host is not sent what the last one had", async () => {
    const [a, c, d] = [await ScriptedHost.start(), await ScriptedHost.start(), await ScriptedHost.start()];
    const me = player(a.url, () => c.url, "token");
    await a.connected();
    a.say(1);
    await expect.poll(() => me.heard).toEqual([1]);
    for (const n of [1, 2, 3, 4, 5]) me.say(n);
    a.control({ type: "ack", received: 3 });
    await expect.poll(() => a.got.length).toBe(5);
    a.socket.terminate();
    await c.connected();
    // It was built from an older state than the one that was confirmed.
    c.control({ type: "resumed", epoch: 2, received: 1, sent: 1, patchRateMs: 10, restored: true });
    await expect.poll(() => c.got).toEqual([4, 5]);
    await expect.poll(() => me.moves.at(-1)).toMatchObject({ lost: 2 });
    c.control(moving(d.url));
    await d.connected();
    me.say(6);
    await expect.poll(() => c.got).toEqual([4, 5, 6]);
    d.control({ type: "resumed", epoch: 3, received: 4, sent: 1, patchRateMs: 10 });
    await expect.poll(() => me.moves.length).toBe(2);
    me.say(7);
    await expect.poll(() => d.got).toEqual([7]);
    expect(me.moves.at(-1)).toMatchObject({ lost: 0 });
  });

  it("a newcomer whose room left before it connected finds it and takes its seat there", async () => {
    const [a, b] = [await ScriptedHost.start(), await ScriptedHost.start()];
    const me = player(a.url, () => b.url);
    await a.connected();
    a.socket.close(4010, "room is being moved");
    await b.connected();
    b.say(1);
    await expect.poll(() => me.heard).toEqual([1]);
    expect(me.closed).toEqual([]);
  });

  it("who leaves while a move's destination is awaited has left, and nobody there waits for it", async () => {
    const [a, b] = [await ScriptedHost.start(), await ScriptedHost.start()];
    const me = player(a.url);
    await a.connected();
    a.say(1);
    a.control(moving(b.url));
    await b.connected();
    await expect.poll(() => me.heard).toEqual([1]);
    const gone = once(b.socket, "close");
    const left = new Promise((resolve) => b.socket.once("message", resolve));
    a.socket.terminate();
    // It asks the destination for what the old host may have said: the old connection is known to be gone.
    await left;
    expect(me.transport.isOpen).toBe(true);
    me.transport.close(4000);
    expect(me.closed).toEqual([4000]);
    expect(me.transport.isOpen).toBe(false);
    await gone;
  });

  it("who leaves while it is looked up where the room is dials nobody any more", async () => {
    const [a, b] = [await ScriptedHost.start(), await ScriptedHost.start()];
    const events = new EventEmitter();
    const me = player(a.url, async () => {
      events.emit("asked");
      await once(events, "found");
      return b.url;
    });
    const asked = once(events, "asked");
    await a.connected();
    a.socket.close(4010, "room is being moved");
    await asked;
    me.transport.close();
    expect(me.closed).toEqual([1005]);
    events.emit("found");
    const other = player(b.url);
    await b.connected();
    b.say(1);
    await expect.poll(() => other.heard).toEqual([1]);
    expect(b.connections).toBe(1);
  });

  it("stays when the move is called off", async () => {
    const [a, b] = [await ScriptedHost.start(), await ScriptedHost.start()];
    const me = player(a.url);
    await a.connected();
    a.control(moving(b.url));
    await b.connected();
    const gone = once(b.socket, "close");
    a.control({ type: "cancelled", migrationId: "m" });
    await gone;
    a.say(1);
    await expect.poll(() => me.heard).toEqual([1]);
    expect(me.closed).toEqual([]);
  });

  it("counts what nobody can send again as lost instead of hiding it (MSG-7)", async () => {
    const [a, b] = [await ScriptedHost.start(), await ScriptedHost.start()];
    const me = player(a.url);
    await a.connected();
    a.say(1);
    a.control(moving(b.url));
    await b.connected();
    await expect.poll(() => me.heard).toEqual([1]);
    a.socket.terminate();
    b.control({ type: "resumed", epoch: 2, received: 0, sent: 4, patchRateMs: 20 });
    b.say(5);
    await expect.poll(() => me.moves).toMatchObject([{ lost: 3 }]);
    expect(me.heard).toEqual([1, 5]);
  });

  it("a host that sends nonsense costs its own connection and the game goes on with Colyseus' reconnection", async () => {
    const a = await ScriptedHost.start();
    const me = player(a.url);
    await a.connected();
    a.socket.send(Buffer.from([0xff, 0xc1]));
    await expect.poll(() => me.closed).toEqual([4012]);
  });

  it("in any order of frames from both hosts, the player hears each once and in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(5),
        fc.nat(5),
        fc.nat(5),
        fc.array(fc.boolean(), { maxLength: 12 }),
        async (before, during, after, order) => {
          const [a, b] = [await ScriptedHost.start(), await ScriptedHost.start()];
          const me = player(a.url);
          await a.connected();
          let n = 0;
          for (let i = 0; i < before; i++) a.say(++n);
          a.control(moving(b.url));
          await b.connected();
          const old = Array.from({ length: during }, () => () => a.say(++n));
          const total = before + during;
          let m = total;
          const fresh = [
            () => b.control({ type: "resumed", epoch: 2, received: 0, sent: total, patchRateMs: 10 }),
            ...Array.from({ length: after }, () => () => b.say(++m)),
          ];
          for (const pickOld of order) (pickOld ? old : fresh).shift()?.();
          for (const step of [...old, ...fresh]) step();
          await expect.poll(() => me.heard.length).toBe(total + after);
          expect(me.heard).toEqual(Array.from({ length: total + after }, (_, i) => i + 1));
        },
      ),
      { numRuns: 40 },
    );
  });
});
