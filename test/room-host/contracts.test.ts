/** The private fields of other people's packages that this project relies on, at the versions it pins. */
import { readFileSync } from "node:fs";
import { Room as ServerRoom } from "@colyseus/core";
import { Room as ClientRoom } from "@colyseus/sdk";
import { describe, expect, it } from "vitest";

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
