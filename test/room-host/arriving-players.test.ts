/** Players of a room that has come here, who go on by one connection after the other. */
import { CLOSE_REFUSED, encodeControl } from "@centroid/protocol";
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
  players.settle(room as never, clients, new Set());
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

it("refuses whoever was away when the room left, however early its connection to the standby is here", () => {
  const attached: string[] = [];
  const players = new ArrivingPlayers({
    ...{ migrationId: "move", epoch: 2, onAttached: (sessionId: string) => void attached.push(sessionId) },
    askSource: () => true,
  });
  const member = (sessionId: string) => ({
    sessionId,
    link: new SessionLink(true, { sent: 5, received: 0 }),
  });
  const [ann, bob] = [member("ann"), member("bob")];
  const clients = new Map([ann, bob].map((one) => [one.sessionId, one])) as never;
  const socket = () => {
    const closed: number[] = [];
    const nothing = () => undefined;
    return {
      ...{ send: nothing, onClose: nothing, onMessage: nothing, closed },
      close: (code: number) => void closed.push(code),
    };
  };
  const [annThere, bobThere] = [socket(), socket()];
  players.expect(annThere, "ann");
  players.expect(bobThere, "bob");
  players.invite([{ sessionId: "ann", ticket: "ticket" }]);
  players.count(clients);
  const room = { clients: [ann, bob], patchRate: 50, move: { activity: { awaited: new Set() } } };
  players.settle(room as never, clients, new Set(["ann"]));
  expect([annThere.closed, bobThere.closed]).toEqual([[CLOSE_REFUSED], []]);
  expect([ann.link.connected, bob.link.connected]).toEqual([false, true]);
  // Nor by an invitation of before its connection broke.
  expect(players.accept(socket(), "ann", "ticket")).toBe(false);
});
