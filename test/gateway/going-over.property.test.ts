/**
 * A session of Centroid's SDK behind gateways, over any interleaving of what both ends say, moves, gateways' deaths and
 * changes to a nearer gateway: the SDK's transport and the room host's link as they are, with wires in memory between them and a clock of its own.
 */
import {
  CLOSE_GOING_OVER,
  CLOSE_REFUSED,
  CLOSE_ROOM_MOVED,
  RECEIVED_QUERY,
  RESTORE_QUERY,
} from "@centroid/protocol";
import type { SessionSocket } from "@centroid/sdk/session";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { MigratingTransport } from "../../client/sdk/dist/migrating-transport.js";
import { SessionLink } from "../../infra/room-host/dist/sessions/session-link.js";
import type { ServerSocket } from "../../infra/room-host/dist/sockets/server-socket.js";

const TOKEN = "token";
const HOST = { hostId: "a", name: "A", latitude: 0, longitude: 0 };
/** As a room host waits for a gateway that does not answer. */
const HOLD_MS = 5_000;
const PATCH_MS = 50;

type Passing = Uint8Array | { close: number };

/** A player's connection to a room host, in two halves with a gateway between them. */
class Wire {
  readonly up: Passing[] = [];
  readonly down: Passing[] = [];
  dead = false;
  accepted = false;
  #hostMessage: ((frame: Buffer) => void) | undefined;
  #hostClose: ((code: number) => void) | undefined;
  readonly client: SessionSocket & { readyState: number };
  readonly host: ServerSocket = {
    carried: true,
    send: (frame) => void this.down.push(frame.slice()),
    close: (code) => {
      this.down.push({ close: code });
      this.#hostClose?.(code);
    },
    onMessage: (listener) => {
      this.#hostMessage = listener;
    },
    onClose: (listener) => {
      this.#hostClose = listener;
    },
  };

  constructor(
    readonly url: URL,
    readonly accept: (wire: Wire) => void,
  ) {
    const { up } = this;
    this.client = {
      ...{ readyState: 0, onopen: null, onmessage: null, onclose: null, onerror: null },
      send: (frame) => void up.push(frame.slice()),
      close: (code = 1000) => {
        if (this.client.readyState === 3) return;
        const wasOpen = this.client.readyState === 1;
        this.client.readyState = 3;
        up.push({ close: code });
        setTimeout(() => this.client.onclose?.({ code: wasOpen ? code : 1006, reason: "" }), 0);
      },
    };
  }

  passUp(): void {
    if (this.dead) return;
    if (!this.accepted) {
      this.accepted = true;
      if (this.client.readyState === 0) this.client.readyState = 1;
      this.client.onopen?.({});
      this.accept(this);
      return;
    }
    const next = this.up.shift();
    if (next === undefined) return;
    // A gateway keeps the way to the host open until the session has had time to come by another.
    if ("close" in next && next.close === CLOSE_GOING_OVER)
      setTimeout(() => this.#hostClose?.(1006), HOLD_MS);
    else if ("close" in next) this.#hostClose?.(next.close);
    else this.#hostMessage?.(Buffer.from(next));
  }

  passDown(): void {
    const next = this.dead ? undefined : this.down.shift();
    if (next === undefined) return;
    if (!("close" in next)) {
      if (this.client.readyState === 1) this.client.onmessage?.({ data: next });
      return;
    }
    this.dead = true;
    this.client.readyState = 3;
    this.client.onclose?.({ code: next.close, reason: "" });
  }

  /** What it carries is lost; the host waits for the gateway. */
  kill(): void {
    if (this.dead) return;
    this.dead = true;
    setTimeout(() => this.#hostClose?.(1006), HOLD_MS);
    this.client.readyState = 3;
    this.client.onclose?.({ code: 1006, reason: "" });
  }
}

/** A room on one host after the other, as far as one session sees it. */
class World {
  readonly said: number[] = [];
  readonly got: number[] = [];
  readonly shots: number[] = [];
  readonly heard: number[] = [];
  readonly closed: number[] = [];
  wires: Wire[] = [];
  link = new SessionLink(true);
  /** The link of before, while the room is on its way and after. */
  old: SessionLink | undefined;
  epoch = 1;
  moving = false;
  #arrived: { wire: Wire; replayFrom: number | undefined } | undefined;
  readonly transport: MigratingTransport;
  /** To a nearer gateway, if that can be just now. */
  goOver: () => boolean = () => false;

  constructor() {
    this.#listen(this.link);
    this.transport = new MigratingTransport(
      {
        onmessage: ({ data }) => void this.heard.push(Buffer.from(data as Uint8Array).readUInt32LE(0)),
        onclose: ({ code }) => void this.closed.push(code),
      },
      {
        ...{ moving: () => undefined, cancelled: () => undefined, moved: () => undefined },
        ...{
          compare: () => undefined,
          ordered: () => undefined,
          undelivered: () => undefined,
          measure: () => undefined,
        },
      },
      {
        epoch: 1,
        reconnectionToken: () => TOKEN,
        dial: (url) => this.#dial(url),
        onChosen: (goOver) => {
          this.goOver = goOver;
        },
        locate: async () => ({ url: this.#url(), epoch: this.epoch, host: HOST, restoring: false }),
      },
    );
    this.transport.connect(this.#url());
  }

  #url(epoch = this.epoch): string {
    return `ws://host-${epoch}/process/room?sessionId=s`;
  }

  #dial(url: string): SessionSocket {
    const wire = new Wire(new URL(url), (accepted) => this.#accept(accepted));
    this.wires.push(wire);
    return wire.client;
  }

  #listen(link: SessionLink): void {
    link.on("message", (frame: Buffer) => void this.got.push(frame.readUInt32LE(0)));
  }

  /** As a room host takes connections. */
  #accept(wire: Wire): void {
    const { searchParams, hostname } = wire.url;
    const isNext = this.moving && hostname === `host-${this.epoch + 1}`;
    if (searchParams.has("ticket")) {
      if (isNext) this.#arrive(wire);
      else if (hostname === `host-${this.epoch}` && !this.link.connected && !this.link.closed)
        this.#attach(wire, undefined);
      else wire.host.close(CLOSE_ROOM_MOVED, "");
    } else if (hostname !== `host-${this.epoch}` || (this.moving && searchParams.has(RESTORE_QUERY)))
      wire.host.close(CLOSE_ROOM_MOVED, "");
    else if (!searchParams.has(RESTORE_QUERY)) this.link.attach(wire.host);
    else this.#return(wire, Number(searchParams.get(RECEIVED_QUERY) ?? Number.NaN));
  }

  #return(wire: Wire, received: number): void {
    if (this.link.goOn(wire.host, received, { epoch: this.epoch, patchRateMs: PATCH_MS })) return;
    const { link, old } = this;
    if (link.connected && !link.closed && old !== undefined && link.letGo(this.#counters.sent))
      this.#counters.received = link.received;
    if (old !== undefined && !link.connected && !link.closed) this.#attach(wire, received);
    else wire.host.close(CLOSE_REFUSED, "");
  }

  #arrive(wire: Wire): void {
    const arrival = { wire, replayFrom: undefined as number | undefined };
    this.#arrived = arrival;
    wire.host.onMessage((frame) => {
      // `replay` is the only word before the switch.
      const probe = new SessionLink(true);
      probe.on("control", (message: { type: string; received: number }) => {
        if (message.type === "replay") arrival.replayFrom = message.received;
      });
      probe.attach({
        ...wire.host,
        onMessage: (listener) => listener(frame),
        onClose: () => undefined,
        send: () => undefined,
        carried: false,
      });
    });
    wire.host.onClose(() => {
      if (this.#arrived === arrival) this.#arrived = undefined;
    });
  }

  /** @param replayFrom what the client has of the old host, if that brings no more */
  #attach(wire: Wire, replayFrom: number | undefined): void {
    const { link, old } = this;
    const before = (replayFrom === undefined ? undefined : old?.replay(replayFrom)) ?? [];
    link.on("control", (message: { type: string; received: number }) => {
      if (message.type === "replay") link.resend(old?.replay(message.received) ?? []);
    });
    const sent = this.#counters.sent - before.length;
    const { received } = this.#counters;
    const resumed = { type: "resumed", epoch: this.epoch, received, sent, patchRateMs: PATCH_MS } as const;
    link.attach(wire.host, resumed, before);
  }
  #counters = { sent: 0, received: 0 };

  say(): void {
    const frame = Buffer.alloc(4);
    frame.writeUInt32LE(this.said.length + 1);
    this.said.push(this.said.length + 1);
    this.transport.send(frame);
  }

  shoot(): void {
    const frame = Buffer.alloc(4);
    frame.writeUInt32LE(this.shots.length + 1);
    this.shots.push(this.shots.length + 1);
    this.link.send(frame);
  }

  /** The room's host begins a move, or finishes the one that is under way. */
  move(): void {
    const { link } = this;
    if (!this.moving) {
      // A room whose players are still on their way to it stays.
      if (link.closed || !link.connected) return;
      this.moving = true;
      this.#arrived = undefined;
      const epoch = this.epoch + 1;
      const url = `${this.#url(epoch)}&ticket=t`;
      link.control({ type: "moving", migrationId: `m${epoch}`, epoch, url, ticket: "t", host: HOST });
      link.retain();
      return;
    }
    this.moving = false;
    link.freeze();
    this.epoch++;
    link.control({ type: "moved", migrationId: `m${this.epoch}`, epoch: this.epoch, sent: link.sent });
    link.takeLate();
    this.#counters = { sent: link.sent, received: link.received };
    this.old = link;
    link.moveAway();
    this.link = new SessionLink(true, this.#counters);
    this.#listen(this.link);
    const arrived = this.#arrived;
    this.#arrived = undefined;
    if (arrived !== undefined && !arrived.wire.dead) this.#attach(arrived.wire, arrived.replayFrom);
  }

  killGateway(): void {
    const { wires } = this;
    this.wires = [];
    for (const wire of wires) wire.kill();
  }

  /** @param only one of the connections; the others are slow */
  pass(up: number, down: number, only?: number): void {
    const wires = only === undefined ? [...this.wires] : this.wires.slice(only, only + 1);
    for (const wire of wires) {
      for (let n = 0; n < up; n++) wire.passUp();
      for (let n = 0; n < down; n++) wire.passDown();
    }
    this.wires = this.wires.filter(({ dead }) => !dead);
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ say: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 6, arbitrary: fc.record({ shoot: fc.integer({ min: 1, max: 40 }) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      up: fc.nat({ max: 6 }),
      down: fc.nat({ max: 12 }),
      only: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ waitMs: fc.integer({ min: 1, max: 80 }) }) },
  { weight: 2, arbitrary: fc.constant({ move: true as const }) },
  { weight: 3, arbitrary: fc.constant({ goOver: true as const }) },
  { weight: 2, arbitrary: fc.constant({ kill: true as const }) },
);

beforeEach(
  () =>
    void vi.useFakeTimers({
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"],
    }),
);
afterEach(() => void vi.useRealTimers());

it("delivers everything once and in order in both directions, whenever gateways die or a nearer one takes over (GW-7)", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const world = new World();
      await vi.advanceTimersByTimeAsync(0);
      world.pass(1, 0);
      world.shoot();
      world.pass(2, 4);
      expect(world.heard).toEqual([1]);
      for (const what of steps) {
        if ("say" in what) for (let n = 0; n < what.say; n++) world.say();
        else if ("shoot" in what) for (let n = 0; n < what.shoot; n++) world.shoot();
        else if ("up" in what) world.pass(what.up, what.down, what.only);
        else if ("waitMs" in what) await vi.advanceTimersByTimeAsync(what.waitMs);
        else if ("move" in what) world.move();
        else if ("goOver" in what) world.goOver();
        else world.killGateway();
        await vi.advanceTimersByTimeAsync(0);
      }
      if (world.moving) world.move();
      for (let turn = 0; turn < 200 && world.heard.length < world.shots.length + 1; turn++) {
        world.pass(50, 200);
        await vi.advanceTimersByTimeAsync(50);
        if (world.heard.length === world.shots.length && world.got.length === world.said.length) break;
      }
      expect(world.closed).toEqual([]);
      expect(world.heard).toEqual(world.shots);
      expect(world.got).toEqual(world.said);
      world.transport.close();
      await vi.advanceTimersByTimeAsync(60_000);
    }),
    {
      numRuns: 300,
      // The gateway dies just when the room has arrived, with the last words of the old host and the first of the new.
      examples: [
        [
          [
            { move: true },
            { up: 0, down: 1, only: undefined },
            { shoot: 1 },
            { up: 1, down: 0, only: 1 },
            { move: true },
            { say: 1 },
            { kill: true },
            { shoot: 2 },
          ],
        ],
      ],
    },
  );
}, 60_000);
