/** A deployment with a gateway in front, and a stock Colyseus player who counts what it says. */
import type { BrokerOptions } from "@centroid/broker";
import { type GatewayServer, startGateway } from "@centroid/gateway";
import { Client, type Room } from "@colyseus/sdk";
import { expect } from "vitest";
import { until } from "../broker/support/world.js";
import { freePort } from "../support/free-port.js";
import type { LedgerState } from "../support/ledger.js";
import { LiveSystem } from "../support/live-system.js";
import { descendants, listener } from "../support/processes.js";

const NEAR = { frankfurt: 0, virginia: 0, tokyo: 0 };
/** Patience of a machine under load. */
export const PATIENCE_MS = 30_000;

/** Two hosts without distances, a broker that can be started again, and gateways of their own. */
export class GatewayWorld implements AsyncDisposable {
  readonly system: LiveSystem;
  readonly #gateways: GatewayServer[] = [];

  private constructor(system: LiveSystem) {
    this.system = system;
  }

  static async start(
    options: BrokerOptions = {},
    rtt: Record<string, Record<string, number>> = { frankfurt: NEAR, virginia: NEAR, tokyo: NEAR },
  ): Promise<GatewayWorld> {
    const hosts = ["frankfurt", "virginia"].map((hostId) => ({ hostId, latitude: 0, longitude: 0 }));
    return new GatewayWorld(await LiveSystem.start({ autoMove: false, ...options }, hosts, rtt));
  }

  /** @param named players of other gateways are told of it, by that URL if it is one */
  async gateway(port = 0, named: boolean | string = false): Promise<GatewayServer> {
    const at = named === false ? port : await freePort();
    const gateway = await startGateway({
      publicUrl: named === true ? `http://127.0.0.1:${at}` : named === false ? undefined : named,
      gatewayId: `gateway-${this.#gateways.length}`,
      brokerUrls: [this.system.broker.url],
      token: this.system.broker.gatewayToken,
      bindHost: "127.0.0.1",
      port: at,
      measureMs: 1_000,
      notice: () => undefined,
    });
    this.#gateways.push(gateway);
    await gateway.ready;
    return gateway;
  }

  async placeOf(roomId: string): Promise<{ hostId: string; port: number; processId: string } | undefined> {
    const answer = await fetch(`${this.system.broker.url}/centroid/v1/where/${roomId}`);
    if (!answer.ok) return undefined;
    const { host, publicAddress, processId } = (await answer.json()) as {
      host: { hostId: string };
      publicAddress: string;
      processId: string;
    };
    return { hostId: host.hostId, port: Number(publicAddress.split(":").at(-1)), processId };
  }

  /** By which gateway the only player of a room comes. */
  gatewayOf(roomId: string): string | undefined {
    return this.system.broker.events.snapshot().players.find((player) => player.roomId === roomId)?.gatewayId;
  }

  /** A seat that nobody takes. */
  async seat(): Promise<{ roomId: string; sessionId: string }> {
    const answer = await fetch(`${this.system.broker.url}/matchmake/joinOrCreate/ledger`, { method: "POST" });
    return (await answer.json()) as { roomId: string; sessionId: string };
  }

  /** What a room has written down of a player. */
  async entryOf({
    roomId,
    sessionId,
  }: {
    roomId: string;
    sessionId: string;
  }): Promise<{ last: number } | undefined> {
    const { state } = await this.system.get<{ state: { entries: Record<string, { last: number }> } }>(
      `/api/v1/rooms/${roomId}/state`,
    );
    return state.entries[sessionId];
  }

  async moveAway(roomId: string): Promise<void> {
    const at = await this.placeOf(roomId);
    const hostId = at?.hostId === "virginia" ? "frankfurt" : "virginia";
    const { body } = await this.system.post(`/rooms/${roomId}/move`, { hostId });
    const { outcome } = body as { outcome?: string };
    if (outcome !== "completed") throw new Error(`not moved: ${JSON.stringify(body)}`);
  }

  /** Kills the process that the room runs in, and nothing else. */
  async killProcessOf(roomId: string): Promise<void> {
    const place = await this.placeOf(roomId);
    process.kill(listener(descendants(process.pid), place!.port)!, "SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gateway of this.#gateways) await gateway[Symbol.asyncDispose]();
    await this.system[Symbol.asyncDispose]();
  }
}

/** A player on Colyseus' own client: says a number every few milliseconds, and notes whatever is not as it should be. */
export class StockPlayer {
  readonly room: Room<unknown, LedgerState>;
  drops = 0;
  reconnects = 0;
  /** Close codes; none while the player stays. */
  readonly left: number[] = [];
  sent = 0;
  shots = 0;
  /** Shots that did not follow the one before. */
  disorder = 0;
  #timer: NodeJS.Timeout | undefined;

  private constructor(room: Room<unknown, LedgerState>) {
    this.room = room;
    room.reconnection.minUptime = 0;
    room.onDrop(() => void this.drops++);
    room.onReconnect(() => void this.reconnects++);
    room.onLeave((code) => void this.left.push(code));
    let last: number | undefined;
    room.onMessage("shot", (shot: number) => {
      this.shots++;
      if (last !== undefined && shot !== last + 1) this.disorder++;
      last = shot;
    });
  }

  static async join(url: string, options: object = {}, roomType = "ledger"): Promise<StockPlayer> {
    const player = new StockPlayer((await new Client(url).joinOrCreate(roomType, options)) as never);
    await until(() => player.entry !== undefined, PATIENCE_MS);
    return player;
  }

  get entry() {
    return this.room.state.entries?.get(this.room.sessionId);
  }

  talk(everyMs = 10): void {
    this.#timer = setInterval(() => this.room.send("say", ++this.sent), everyMs);
  }

  hush(): void {
    clearInterval(this.#timer);
  }

  /** All that it said is in the room. */
  async heard(): Promise<void> {
    await until(() => this.entry?.last === this.sent, PATIENCE_MS);
  }

  /** Says no more and leaves. @throws if anything was lost, doubled or out of order, or the player was dropped on the way */
  async leaveWhole(): Promise<void> {
    this.hush();
    await this.heard();
    expect(this.entry).toMatchObject({ count: this.sent, disorder: 0, connected: true });
    expect([this.drops, this.reconnects, this.left, this.disorder]).toEqual([0, 0, [], 0]);
    await this.room.leave();
  }
}
