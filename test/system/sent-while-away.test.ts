/** The connection breaks and the room holds the seat: what is sent until the player is back arrives, in order. */
import type { Socket } from "node:net";
import { join } from "node:path";
import { CentroidClient } from "@centroid/sdk";
import { startTestSystem } from "@centroid/server/testing";
import { expect, it, vi } from "vitest";
import { WebSocket } from "ws";

it("text and bytes, sent before the break is told, while it lasts, and while the seat is taken again", async () => {
  const cables: Socket[] = [];
  const internals = WebSocket.prototype as unknown as {
    setSocket: (socket: Socket, ...rest: unknown[]) => void;
  };
  const original = internals.setSocket;
  const spy = vi.spyOn(internals, "setSocket").mockImplementation(function (this: WebSocket, ...args) {
    cables.push(args[0]);
    return original.apply(this, args);
  });
  const rooms = join(import.meta.dirname, "../fixtures/handler-rooms");
  await using system = await startTestSystem({ rooms, hosts: ["a"] });
  const keeper = await new CentroidClient(system.url, { probing: false }).create("post");
  const before = cables.length;
  const room = await new CentroidClient(system.url, { probing: false }).joinById(keeper.roomId);
  const expected: (string | number)[] = [];
  let n = 0;
  const say = (): void => {
    expected.push(++n);
    room.send("note", n);
    const bytes = new Uint8Array(5).fill(n);
    expected.push(`5 x ${n}`);
    room.sendBytes("note", bytes);
    bytes.fill(0);
  };
  say();
  await expect.poll(() => keeper.request("heard")).toEqual(expected);
  const dropped = new Promise<void>((resolve) => {
    room.onDrop(() => {
      for (let i = 0; i < 12; i++) say();
      resolve();
    });
  });
  const back = new Promise<void>((resolve) => void room.onReconnect(resolve));
  const cable = cables[before]!;
  const closed = new Promise<void>((resolve) => void cable.once("close", () => resolve()));
  cable.destroy();
  await closed;
  // The room has not been told that it dropped, and looks open: its host may have been lost.
  say();
  await dropped;
  say();
  await back;
  say();
  await expect.poll(() => keeper.request("heard")).toEqual(expected);
  spy.mockRestore();
  await Promise.all([room.leave(), keeper.leave()]);
}, 60_000);
