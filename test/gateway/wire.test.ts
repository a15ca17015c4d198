/** What is on the wires of a gateway: Colyseus' frames only towards players, and only given sessions towards room hosts. */
import { once } from "node:events";
import { CLOSE_REFUSED, encodeControl, PROTOCOL_VERSION } from "@centroid/protocol";
import { newNonce, prove } from "@centroid/protocol/node";
import {
  encodeTrunkFrame,
  gatewayKey,
  readTrunkPack,
  type StreamOpening,
  sessionPass,
  type TrunkFrame,
  trunkSecret,
} from "@centroid/protocol/trunk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { until } from "../broker/support/world.js";
import { RawClient } from "./raw-client.js";
import { GatewayWorld, PATIENCE_MS } from "./support.js";

let world: GatewayWorld;
beforeAll(async () => {
  world = await GatewayWorld.start();
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

it("sends a client in no SDK's language Colyseus' frames and no other, through moves and a host's death", async () => {
  const { url } = await world.gateway();
  const client = await RawClient.join(url, "ledger", { slash: "//" });
  const heard = (): number => client.numbers("shot").length;
  await until(() => heard() > 5, PATIENCE_MS);
  for (let n = 1; n <= 20; n++) client.say("say", n);
  await world.moveAway(client.roomId);
  await world.moveAway(client.roomId);
  for (let n = 21; n <= 40; n++) client.say("say", n);
  const shots = client.numbers("shot");
  expect(shots).toEqual(shots.map((_, at) => (shots[0] ?? 0) + at));
  // Until that is saved: a second.
  const before = heard();
  await until(() => heard() > before + 30, PATIENCE_MS);
  const at = await world.placeOf(client.roomId);
  await world.killProcessOf(client.roomId);
  for (let n = 41; n <= 60; n++) client.say("say", n);
  await until(async () => (await world.placeOf(client.roomId))?.processId !== at?.processId, PATIENCE_MS);
  const away = heard();
  await until(() => heard() > away + 5, PATIENCE_MS);
  await until(async () => (await world.entryOf(client))?.last === 60, PATIENCE_MS);
  expect(await world.entryOf(client)).toMatchObject({ last: 60, count: 60, disorder: 0, connected: true });
  expect(client.frames.filter((frame) => frame[0] === encodeControl({ type: "alive" })[0])).toEqual([]);
  expect(client.closed).toBeUndefined();
  client.leave();
  await until(() => client.closed === 4000, PATIENCE_MS);
}, 90_000);

it("carries players to a host with a token of its own", async () => {
  const { system } = world;
  const { body } = await system.post("/hosts/tokyo/agent-token", {});
  expect(body).toMatchObject({ hostId: "tokyo" });
  await system.startHost({ hostId: "tokyo", latitude: 0, longitude: 0 });
  expect(await system.broker.agentTokenOf("tokyo")).toBe((body as { token: string }).token);
  const { url } = await world.gateway();
  const client = await RawClient.join(url, "ledger", { slash: "//" });
  const heard = (): number => client.numbers("shot").length;
  await until(() => heard() > 5, PATIENCE_MS);
  await system.post(`/rooms/${client.roomId}/move`, { hostId: "tokyo" });
  expect(await world.placeOf(client.roomId)).toMatchObject({ hostId: "tokyo" });
  const moved = heard();
  await until(() => heard() > moved + 5, PATIENCE_MS);
  const shots = client.numbers("shot");
  expect(shots).toEqual(shots.map((_, at) => (shots[0] ?? 0) + at));
  client.leave();
}, 90_000);

/** A gateway of an attacker's own, at the room host of a room. */
class HostileGateway {
  readonly frames: (TrunkFrame | { type: "data"; stream: number })[] = [];
  closed: number | undefined;
  readonly #socket: WebSocket;

  constructor(port: number, gatewayId: string, key: string) {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/trunk/${gatewayId}`);
    this.#socket.on("close", (code) => {
      this.closed = code;
    });
    const data = (stream: number): void => void this.frames.push({ type: "data", stream });
    const hear = (frame: TrunkFrame): void => {
      this.frames.push(frame);
      if (frame.type !== "hello" || frame.hello.step !== "challenge") return;
      const nonce = newNonce();
      const what = { protocol: PROTOCOL_VERSION, hostId: gatewayId, challenge: frame.hello.challenge, nonce };
      const proof = prove(key, "gateway", what);
      this.#socket.send(
        encodeTrunkFrame({ type: "hello", hello: { step: "answer", gatewayId, run: "run", nonce, proof } }),
      );
    };
    this.#socket.on("message", (pack: Buffer) => readTrunkPack(pack, { data, frame: hear }));
  }

  get accepted(): boolean {
    return this.frames.some((frame) => frame.type === "hello" && frame.hello.step === "accepted");
  }

  /** @returns with which code, or with what, it is answered */
  async open(stream: number, opening: Partial<StreamOpening>): Promise<number | "data"> {
    const whole = { roomId: "", sessionId: "", query: "", headers: {}, address: "192.0.2.1", ...opening };
    this.#socket.send(encodeTrunkFrame({ type: "open", stream, opening: whole }));
    const answer = () =>
      this.frames.find((frame) => "stream" in frame && frame.stream === stream && frame.type !== "ack");
    await until(() => answer() !== undefined, PATIENCE_MS);
    const frame = answer();
    return frame?.type === "close" ? frame.code : "data";
  }

  end(): void {
    this.#socket.terminate();
  }
}

describe("a gateway", () => {
  it("carries only where, and whom, a broker has given it", async () => {
    const { broker } = world.system;
    const [ada, bob] = [await world.seat(), await world.seat()];
    const { roomId } = ada;
    const at = await world.placeOf(roomId);
    const port = at!.port;
    const secret = trunkSecret(broker.agentToken, at!.processId);
    const key = gatewayKey(secret, "mallory");

    const stranger = new HostileGateway(port, "mallory", "no key of ours");
    await until(() => stranger.closed !== undefined, PATIENCE_MS);
    expect([stranger.closed, stranger.accepted]).toEqual([CLOSE_REFUSED, false]);
    // The key of one gateway, or of one room host, opens nothing as another's.
    const posing = new HostileGateway(port, "gateway-0", key);
    const elsewhere = new HostileGateway(
      port,
      "mallory",
      gatewayKey(trunkSecret(broker.agentToken, "x-1"), "mallory"),
    );
    await until(() => posing.closed !== undefined && elsewhere.closed !== undefined, PATIENCE_MS);
    expect([posing.accepted, elsewhere.accepted]).toEqual([false, false]);

    const mallory = new HostileGateway(port, "mallory", key);
    await until(() => mallory.accepted, PATIENCE_MS);
    const pass = sessionPass(secret, { gatewayId: "mallory", roomId, sessionId: ada.sessionId });
    const bobs = { roomId, sessionId: bob.sessionId, query: `sessionId=${bob.sessionId}` };
    expect(await mallory.open(1, bobs)).toBe(CLOSE_REFUSED);
    expect(await mallory.open(2, { ...bobs, pass })).toBe(CLOSE_REFUSED);
    const others = sessionPass(secret, { gatewayId: "gateway-0", roomId, sessionId: bob.sessionId });
    expect(await mallory.open(3, { ...bobs, pass: others })).toBe(CLOSE_REFUSED);
    // What the query says of the session counts for nothing beside the pass.
    expect(await mallory.open(4, { ...bobs, sessionId: ada.sessionId, pass })).toBe("data");
    mallory.end();
  }, 60_000);

  it("is told nothing by a broker before it has proved to know the token", async () => {
    const { url, agentToken } = world.system.broker;
    const ask = async (say: (challenge: string) => object): Promise<string[]> => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/gateway`);
      const types: string[] = [];
      socket.on("message", (data: Buffer) => {
        const message = JSON.parse(data.toString());
        types.push(message.error?.code ?? message.type);
        if (message.type === "challenge") socket.send(JSON.stringify(say(message.challenge)));
      });
      await once(socket, "close");
      return types;
    };
    const find = { type: "find-room", requestId: 1, processId: "", roomId: "r", sessionId: "s" };
    expect(await ask(() => find)).toEqual(["challenge", "UNAUTHORIZED"]);
    const answered = (challenge: string): object => {
      const nonce = newNonce();
      const what = { protocol: PROTOCOL_VERSION, hostId: "mallory", challenge, nonce };
      // A token that is good for something else.
      const proof = prove(agentToken, "gateway", what);
      return { type: "answer", protocol: PROTOCOL_VERSION, gatewayId: "mallory", nonce, proof };
    };
    expect(await ask(answered)).toEqual(["challenge", "UNAUTHORIZED"]);
    expect(await ask(() => ({ type: "answer" }))).toEqual(["challenge", "FRAME_INVALID"]);
  });
});
