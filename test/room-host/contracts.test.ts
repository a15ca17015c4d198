/** The private fields of other people's packages that this project relies on, at the versions it pins. */
import { readFileSync } from "node:fs";
import v8 from "node:v8";
import { digestState, orderMap, pathsOf } from "@centroid/protocol";
import { ClientState, Room as ServerRoom } from "@colyseus/core";
import { $refId, Decoder, Encoder, schema, t } from "@colyseus/schema";
import { Room as ClientRoom } from "@colyseus/sdk";
import { describe, expect, it, vi } from "vitest";
import { MovableClient } from "../../infra/room-host/dist/colyseus/movable-client.js";
import { RoomClock } from "../../infra/room-host/dist/colyseus/room-clock.js";
import { digestOptions } from "../../infra/room-host/dist/colyseus/schema/full-state.js";
import { SessionLink } from "../../infra/room-host/dist/sessions/session-link.js";

interface InputController {
  allocate(client: object): void;
  register(sessionId: string, client: object): void;
  handshakeSections(): unknown[];
}
const Entity = schema({ x: t.number() }, "ContractEntity");

const versionOf = (name: string): string =>
  JSON.parse(readFileSync(new URL(`../../node_modules/${name}/package.json`, import.meta.url), "utf8"))
    .version;

describe("contracts with pinned packages", () => {
  it("@colyseus/core 0.18.17: what room-host/src/colyseus touches", () => {
    expect(versionOf("@colyseus/core")).toBe("0.18.17");
    const prototype = ServerRoom.prototype as unknown as Record<string, unknown>;
    for (const method of [
      "_onJoin",
      "_onLeave",
      "_onMessage",
      "_reserveSeat",
      "broadcastPatch",
      "setTimestep",
      "setFixedTimestep",
      "onMessage",
      "allowReconnection",
    ]) {
      expect(prototype[method], method).toBeTypeOf("function");
    }
    const room = new ServerRoom() as unknown as Record<string, unknown>;
    for (const field of [
      "_events",
      "_reservedSeats",
      "_reservedSeatTimeouts",
      "_reconnections",
      "clients",
      "clock",
    ]) {
      expect(room[field], field).toBeDefined();
    }
    expect(room).toHaveProperty("_serializer");
  });

  it("@colyseus/core 0.18.17 and V8: a client that has joined is not looked up by names from then on", () => {
    const core = readFileSync(
      new URL("../../node_modules/@colyseus/core/build/Room.mjs", import.meta.url),
      "utf8",
    );
    expect(core.match(/delete client\.\w+/g)).toEqual(["delete client._enqueuedMessages"]);
    v8.setFlagsFromString("--allow-natives-syntax");
    const isFast = new Function("object", "return %HasFastProperties(object)") as (object: object) => boolean;
    const client = new MovableClient("s1", new SessionLink(true));
    client.state = ClientState.JOINED;
    Reflect.deleteProperty(client, "_enqueuedMessages");
    expect(isFast(client)).toBe(true);
    client.joined();
    expect(client._enqueuedMessages).toBeUndefined();
  });

  it("@colyseus/core 0.18.17: what room-host/src/colyseus touches of inputs, fixed steps and rewind buffers", () => {
    class Contract extends ServerRoom {
      override state = new Entity();
      override inputs = this.defineInput(Entity);
      rewind = this.allowRewindState();
    }
    const room = new Contract();
    const controller = (room as unknown as { _inputController: InputController })._inputController;
    let asked = 0;
    Object.assign(room, {
      _timelineMode: () => {
        asked++;
        return {};
      },
    });
    expect(controller).toMatchObject({ api: room.inputs, options: { ctor: Entity, bufferMaxSize: 32 } });
    expect(controller.handshakeSections()).toHaveLength(2);
    controller.handshakeSections();
    expect(asked).toBe(1);
    const client = { sessionId: "s" } as never as Record<string, unknown>;
    controller.allocate(client as never);
    controller.register("s", client as never);
    expect(client).toMatchObject({ _input: { x: 0 }, _reckonBaseline: 0 });
    expect(Object.keys(client._inputBuffer as object)).toEqual(
      expect.arrayContaining([
        ...["_items", "_head", "_renderTimes", "_reckonTimes", "_lastConsumedSeq", "_lastSeq"],
        ...["consumedCount", "_lastRenderTime", "_lastReckonTime", "_lastWasIdle"],
      ]),
    );
    const entity = new Entity().assign({ x: 5 });
    room.rewind.attach(entity, { fields: ["x"] }).record(100, 50);
    expect(room.rewind).toMatchObject({
      _lastRecordedAt: 100,
      _sampleIntervalMs: 50,
      groups: [{ groupId: 0, entities: expect.any(Function) }],
      createHistory: expect.any(Function),
    });
    const symbols = Object.getOwnPropertySymbols(entity).map((symbol) => symbol.description);
    expect(symbols).toContain("rewind.history");
    const [history] = (entity as never as Record<symbol, object[]>)[
      Object.getOwnPropertySymbols(entity).find(({ description }) => description === "rewind.history")!
    ]!;
    expect(history).toMatchObject({ groupId: 0, cap: 14, head: 1, count: 1, t: expect.any(Float64Array) });
  });

  it("@colyseus/core 0.18.17: five fixed steps in a turn at most, then what time is left over is dropped", () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"] });
    const room = new ServerRoom();
    try {
      room.clock.start();
      let steps = 0;
      room.setFixedTimestep(() => void steps++, 50);
      vi.setSystemTime(Date.now() + 490);
      vi.advanceTimersByTime(20);
      expect(steps).toBe(5);
      vi.advanceTimersByTime(20);
      expect(steps).toBe(6);
    } finally {
      clearInterval((room as unknown as { _simulationInterval: NodeJS.Timeout })._simulationInterval);
      vi.useRealTimers();
    }
  });

  it("@colyseus/core 0.18.17 and Node: a turn of fixed steps that is called is one step", () => {
    const room = new ServerRoom();
    room.clock.start();
    const steps: [tick: number, elapsedMs: number][] = [];
    room.setFixedTimestep(({ tick }) => void steps.push([tick, room.clock.elapsedTime]), 60);
    const clock = new RoomClock(room);
    clock.simulate({ stepMs: 1000 / 60, arm: () => undefined });
    clock.driveInSteps();
    try {
      for (let turn = 0; turn < 200; turn++) clock.turn();
      expect(steps.map(([tick]) => tick)).toEqual(Array.from({ length: 200 }, (_, at) => at));
      expect(steps[2]?.[1]).toBe(1000 / 60 + 1000 / 60 + 1000 / 60);
    } finally {
      clearInterval((room as unknown as { _simulationInterval: NodeJS.Timeout })._simulationInterval);
    }
  });

  it("@colyseus/schema 5.0.34: what room-host/src/colyseus/schema touches of streams", () => {
    expect(versionOf("@colyseus/schema")).toBe("5.0.34");
    const Feed = schema({ items: t.stream(Entity) }, "ContractFeed");
    const feed = new Feed();
    const encoder = new Encoder(feed);
    feed.items.add(new Entity().assign({ x: 1 }));
    expect([...encoder.root.streamTrees]).toEqual([feed.items]);
    expect(feed.items).toMatchObject({
      $nextPosition: 1,
      $items: expect.any(Map),
      _itemIndex: expect.any(Map),
      _stream: {
        broadcastPending: new Set([0]),
        sentBroadcast: new Set(),
        broadcastDeletes: new Set(),
        pendingByView: new Map(),
        sentByView: new Map(),
        maxPerTick: 32,
      },
    });
    expect(encoder).toHaveProperty("_emitStreamBroadcast");
    expect(encoder).toHaveProperty("_emitStreamPriority");
    encoder.encode();
    expect(feed.items).toMatchObject({
      _stream: { broadcastPending: new Set(), sentBroadcast: new Set([0]) },
    });
  });

  it("@colyseus/schema 5.0.34: what protocol's state digest reads, and what a full state leaves out", () => {
    const Inner = schema({ name: t.string() }, "ContractInner");
    const Outer = schema(
      {
        list: t.array(Inner),
        map: t.map("number"),
        set: t.set("string"),
        gone: t.string().patchOnly(),
        first: t.string().fullStateOnly(),
        loose: t.number().unreliable(),
      },
      "ContractOuter",
    );
    const outer = new Outer();
    const encoder = new Encoder(outer);
    outer.list.push(new Inner().assign({ name: "a" }));
    outer.map.set("k", 0.1);
    outer.map.set("l", 2);
    outer.set.add("s");
    const options = digestOptions(encoder as never);
    expect(options.skip.map(([, index]) => index)).toEqual([3, 4, 5]);
    const digest = digestState(outer, options);
    const present = new Decoder(new Outer());
    present.decode(encoder.encodeAll());
    const theirs = {
      skip: options.skip,
      typeOf: (klass: object) => present.context.getTypeId(klass as never),
    };
    const same = (): boolean => digestState(present.state, theirs).hash === digest.hash;
    expect(digest.nodes.size).toBe(5);
    expect(same()).toBe(true);
    const list = (present.state as InstanceType<typeof Outer>).list[0]!;
    list.name = "b";
    expect(same()).toBe(false);
    expect(pathsOf(present.state, new Set([list[$refId]!]), theirs)).toEqual(["list.0"]);
    list.name = "a";
    const { map } = present.state as InstanceType<typeof Outer>;
    orderMap(map, [1, 0]);
    expect([...map.keys()]).toEqual(["l", "k"]);
    expect(same()).toBe(false);
  });

  it("@colyseus/sdk 0.18.4: what room.ts touches", () => {
    expect(versionOf("@colyseus/sdk")).toBe("0.18.4");
    const room = new ClientRoom("contract");
    expect(room.reconnection).toMatchObject({ minUptime: expect.any(Number), enabled: true });
    // connect() must make its Connection through the property that we replace, and use what we put in.
    const dialled: string[] = [];
    let events: unknown;
    Object.defineProperty(room, "connection", {
      set(connection: { events: unknown; transport: unknown }) {
        events = connection.events;
        connection.transport = {
          connect: (url: string) => void dialled.push(url),
          close: () => undefined,
          isOpen: false,
        };
        Object.defineProperty(room, "connection", { value: connection });
      },
      configurable: true,
    });
    room.connect("ws://127.0.0.1:9/p/r?sessionId=s", {});
    expect(dialled).toHaveLength(1);
    expect(events).toMatchObject({ onmessage: expect.any(Function), onclose: expect.any(Function) });
  });
});
