/** A broker with fake agents, and the few calls tests make. Everything is closed by `await using`. */

import { type Broker, type BrokerOptions, startBroker } from "@centroid/broker";
import { embeddedGateway } from "@centroid/gateway";
import {
  type BrokerEvent,
  type Decision,
  type Receipt,
  receiptSchema,
  type SeatReservation,
  seatReservationSchema,
} from "@centroid/protocol";
import { FakeAgent, type FakeAgentOptions, type FakeNet } from "./fake-agent.js";

const silent = { debug() {}, info() {}, warn() {}, error() {} } as never;

/** Quick enough for tests, slow enough for a busy machine. */
export const QUICK: BrokerOptions = {
  port: 0,
  gateway: embeddedGateway,
  logger: silent,
  autoMove: false,
  limits: false,
  heartbeatIntervalMs: 50,
  lostAfterMs: 400,
  rejoinGraceMs: 2_000,
  // As after a crash; what is left to hosts by a broker that ends is farewell.test.ts.
  farewellLeaseMs: 0,
  migration: { deadlineMs: 3_000, prepareMs: 1_000, reportWindowMs: 200, settleRetryMs: 20 },
};

/** Silence as brokers count it by default: agents with processes of their own are not as quick as fakes. */
export const REAL_AGENTS: BrokerOptions = { heartbeatIntervalMs: 300, lostAfterMs: 1_600 };

export class World implements AsyncDisposable {
  readonly net: FakeNet = new Map();
  broker: Broker;
  readonly #options: BrokerOptions;

  private constructor(broker: Broker, options: BrokerOptions) {
    this.broker = broker;
    this.#options = options;
  }

  static async start(hosts: string[] = [], options: BrokerOptions = {}): Promise<World> {
    const all = { ...QUICK, ...options };
    const world = new World(await startBroker(all), all);
    for (const hostId of hosts) await world.host(hostId);
    return world;
  }

  host(hostId: string, more: Partial<FakeAgentOptions> = {}): Promise<FakeAgent> {
    return FakeAgent.start({ ...this.agentOptions(hostId), ...more });
  }

  agentOptions(hostId: string): FakeAgentOptions {
    return { url: this.broker.url, token: this.broker.agentToken, hostId, net: this.net };
  }

  agent(hostId: string): FakeAgent {
    const agent = this.net.get(hostId);
    if (agent === undefined) throw new Error(`no fake host ${hostId}`);
    return agent;
  }

  /** The broker ends and another one starts on the same store; agents keep their rooms. */
  async restart(options: BrokerOptions = {}): Promise<void> {
    await this.broker[Symbol.asyncDispose]();
    this.broker = await startBroker({ ...this.#options, ...options });
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    token = this.broker.adminToken,
  ): Promise<Response> {
    return fetch(`${this.broker.url}${path}`, {
      method,
      headers: {
        ...(token !== "" && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  async match(method: string, target: string, options: unknown = {}): Promise<SeatReservation> {
    const response = await this.call("POST", `/matchmake/${method}/${target}`, options, "");
    const body = await response.json();
    if (!response.ok)
      throw Object.assign(new Error((body as { error: string }).error), { status: response.status, body });
    return seatReservationSchema.parse(body);
  }

  /** Takes a seat and connects. */
  async join(method: string, target: string, options: unknown = {}): Promise<SeatReservation> {
    const seat = await this.match(method, target, options);
    this.agent(seat.centroid.host.hostId).join(seat.roomId, seat.sessionId);
    return seat;
  }

  async move(roomId: string, hostId: string): Promise<Receipt> {
    const response = await this.call("POST", `/api/v1/rooms/${roomId}/move`, { hostId });
    const body = (await response.json()) as { error?: { code: string; message: string } };
    if (!response.ok)
      throw Object.assign(new Error(body.error?.message), {
        code: body.error?.code,
        status: response.status,
      });
    return receiptSchema.parse(body);
  }

  async get<T>(path: string): Promise<T> {
    const response = await this.call("GET", path);
    return (await response.json()) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.net.values()) agent.disconnect();
    await this.broker[Symbol.asyncDispose]();
  }
}

/** What a world decides and does from now on. */
export function record(world: World) {
  const decisions: Decision[] = [];
  const receipts: Receipt[] = [];
  world.broker.events.subscribe((event: BrokerEvent) => {
    if (event.type === "decision") decisions.push(event.decision);
    if (event.type === "receipt") receipts.push(event.receipt);
  });
  return { decisions, receipts };
}

export const hostOf = async (world: World, roomId: string): Promise<string> =>
  (await world.get<{ hostId: string }>(`/api/v1/rooms/${roomId}`)).hostId;

/** Waits for something that an event elsewhere brings about. */
export async function until(what: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await what())) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
