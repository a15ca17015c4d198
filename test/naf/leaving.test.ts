/** Who leaves a scene, and how its page and the others hear of it; and what is larger than a frame. */
import { once } from "node:events";
import { DEMO_ROOMS_DIR } from "@centroid/demo";
import type { SeatReservation } from "@centroid/protocol";
import { startTestSystem, type TestSystem } from "@centroid/server/testing";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { CentroidAdapter } from "../../client/naf-adapter/dist/adapter.js";
import { until } from "../broker/support/world.js";

let system: TestSystem;
let body: EventTarget;
const naf: { clientId?: string } = {};
beforeAll(async () => {
  system = await startTestSystem({ rooms: DEMO_ROOMS_DIR, hosts: ["a"] });
  vi.stubGlobal("location", { href: system.url });
  vi.stubGlobal("NAF", naf);
}, 60_000);
afterAll(async () => {
  vi.unstubAllGlobals();
  await system[Symbol.asyncDispose]();
});
beforeEach(() => {
  body = new EventTarget();
  vi.stubGlobal("document", { body });
});

/** A page with networked-aframe's side of the adapter. */
async function page(room: string) {
  const adapter = new CentroidAdapter();
  const seen = { others: [] as string[], failures: [] as string[], received: [] as unknown[], id: "" };
  adapter.setServerUrl("/");
  adapter.setRoom(room);
  adapter.setServerConnectListeners(
    (id) => {
      seen.id = id;
    },
    (code) => seen.failures.push(code),
  );
  adapter.setRoomOccupantListener((occupants) => {
    seen.others = Object.keys(occupants);
  });
  adapter.setDataChannelListeners(
    () => undefined,
    () => undefined,
    (_from, _type, data) => seen.received.push(data),
  );
  await adapter.connect();
  return { adapter, seen };
}

async function two(room: string) {
  const [ana, ben] = [await page(room), await page(room)];
  await until(() => ana.seen.others.length === 1 && ben.seen.others.length === 1, 45_000);
  return { ana, ben };
}
/** A player below the SDK, to close as a browser does, or to break. */
async function raw(channel: string): Promise<WebSocket> {
  const response = await fetch(`${system.url}/matchmake/joinOrCreate/naf`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ channel }),
  });
  const { publicAddress, processId, roomId, sessionId } = (await response.json()) as SeatReservation;
  // Stock clients come by the broker's address unless they are told another.
  const address = publicAddress ?? new URL(system.url).host;
  const socket = new WebSocket(`ws://${address}/${processId}/${roomId}?sessionId=${sessionId}`);
  // Colyseus' acknowledgement of the first frame, without which nobody has joined.
  socket.once("message", () => socket.send(Buffer.from([10])));
  await once(socket, "message");
  return socket;
}

it("is gone at once when its page is closed, and waited for when its connection broke", async () => {
  const ana = await page("closing");
  for (const { leave, stays } of [
    { leave: (socket: WebSocket) => socket.close(1001), stays: false },
    { leave: (socket: WebSocket) => socket.terminate(), stays: true },
  ]) {
    const ben = await raw("default/closing");
    await until(() => ana.seen.others.length === 1, 45_000);
    const leftAtMs = performance.now();
    leave(ben);
    await until(() => ana.seen.others.length === 0, 30_000);
    const staysMs = performance.now() - leftAtMs;
    if (stays) expect(staysMs).toBeGreaterThan(9_000);
    else expect(staysMs).toBeLessThan(8_000);
  }
  ana.adapter.disconnect();
}, 180_000);

it("hears that it was put out: not connected any more, an event, a failure; nobody waits for it", async () => {
  const { ana, ben } = await two("kicked");
  naf.clientId = ben.seen.id;
  const events: unknown[] = [];
  body.addEventListener("disconnected", (event) => events.push((event as CustomEvent).detail));
  // Not what a scene sends: more than a frame may have, past the adapter.
  ben.adapter.room!.send("naf", { type: "x", data: "x".repeat(70 * 1024) });
  await until(() => events.length === 1, 45_000);
  expect(events).toEqual([{ clientId: ben.seen.id, code: 1009, reason: expect.any(String) }]);
  expect(naf.clientId).toBe("");
  expect(ben.seen).toMatchObject({ failures: ["DISCONNECTED"], others: [] });
  await until(() => ana.seen.others.length === 0, 45_000);
  ana.adapter.disconnect();
});

it("sends what is larger than a frame in pieces, and refuses what is larger than that with a line", async () => {
  const { ana, ben } = await two("large");
  const picture = { name: "ä€😀", bytes: "x".repeat(200 * 1024) };
  const refused = vi.spyOn(console, "error").mockImplementation(() => undefined);
  ben.adapter.broadcastDataGuaranteed("picture", "x".repeat(2_000_000));
  expect(refused.mock.calls.flat().join(" ")).toContain("at most 1280000");
  refused.mockRestore();
  ben.adapter.broadcastDataGuaranteed("picture", picture);
  ben.adapter.broadcastData("u", { after: 1 });
  await until(() => ana.seen.received.length === 2, 45_000);
  expect(ana.seen.received).toEqual([picture, { after: 1 }]);
  ben.adapter.disconnect();
  ana.adapter.disconnect();
});
