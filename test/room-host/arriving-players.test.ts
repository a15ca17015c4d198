/** Players of a room that has come here, who go on by one connection after the other. */
import { encodeControl } from "@centroid/protocol";
import { expect, it } from "vitest";
import { ArrivingPlayers } from "../../infra/room-host/dist/handoff/arriving-players.js";
import { SessionLink } from "../../infra/room-host/dist/sessions/session-link.js";

it("hears what a player lacks by each of them, and has no more to listen to than by the first", () => {
  const asked: [string, number][] = [];
  const players = new ArrivingPlayers({
    ...{ migrationId: "move", epoch: 2, onAttached: () => undefined },
    askSource: (...question) => asked.push(question) > 0,
  });
  const link = new SessionLink(true, { sent: 5, received: 0 });
  const client = { sessionId: "ann", reconnectionToken: "token", link };
  const room = { clients: [client], patchRate: 50, move: { activity: { awaited: new Set() } } };
  const clients = new Map([["ann", client]]) as never;
  const socket = () => {
    const listeners: { frame?: (frame: Buffer) => void } = {};
    return {
      ...{ carried: true, send: () => undefined, close: () => undefined, onClose: () => undefined },
      onMessage: (listener: (frame: Buffer) => void) => {
        listeners.frame = listener;
      },
      say: (frame: Uint8Array) => listeners.frame?.(Buffer.from(frame)),
    };
  };
  players.count(clients);
  players.settle(room as never, clients);
  const first = socket();
  const ann = { sessionId: "ann", token: "token", received: 5 };
  expect(players.acceptReturn(first, ann)).toBe(true);
  const listeners = link.listenerCount("control");
  let last = first;
  for (let gateways = 0; gateways < 20; gateways++) {
    last = socket();
    expect(players.acceptReturn(last, ann)).toBe(true);
  }
  expect(link.listenerCount("control")).toBe(listeners);
  expect(listeners).toBe(1);
  last.say(encodeControl({ type: "replay", received: 3 }));
  last.say(encodeControl({ type: "replay", received: 3 }));
  expect(asked).toEqual([["ann", 3]]);
});
