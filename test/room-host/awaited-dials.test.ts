/** A player of a restored room that dials more than once before it is heard. */
import { CLOSE_ROOM_MOVED, decodeServerControl, encodeControl, isControl } from "@centroid/protocol";
import { ClientState } from "@colyseus/core";
import { expect, it } from "vitest";
import { AwaitedPlayers } from "../../infra/room-host/dist/checkpoint/awaited-players.js";
import { SessionLink } from "../../infra/room-host/dist/sessions/session-link.js";

/** Frames that its room had sent before it was saved. */
const SENT = 7;
const EPOCH = 3;
const frame = (number: number): Buffer => Buffer.from([1, number]);

/** A room of one player that says three frames to whoever comes first: the whole state, and what had waited. */
function restored() {
  const link = new SessionLink(true, { sent: SENT, received: 4 });
  const client = {
    ...{ sessionId: "ann", reconnectionToken: "token", state: ClientState.JOINED, link },
    ...{ _enqueuedMessages: [] as Uint8Array[], _awaitedIn: [] },
    joined: () => undefined,
    raw: (data: Uint8Array) => link.send(data),
  };
  const room = {
    patchRate: 50,
    move: {
      activity: { awaited: new Map() },
      backlog: { begin: () => undefined },
      sendWhole: () => link.send(frame(0)),
    },
  };
  client._enqueuedMessages.push(frame(1), frame(2));
  return { link, players: new AwaitedPlayers(room as never, [client as never], { epoch: EPOCH }, 60_000) };
}

function dial() {
  const got: Buffer[] = [];
  const closed: number[] = [];
  let onMessage: (frame: Buffer) => void = () => undefined;
  return {
    socket: {
      send: (data: Uint8Array) => void got.push(Buffer.from(data)),
      close: (code: number) => void closed.push(code),
      onClose: () => undefined,
      onMessage: (listener: (frame: Buffer) => void) => {
        onMessage = listener;
      },
    },
    say: (data: Uint8Array) => onMessage(Buffer.from(data)),
    closed,
    heard: () => got.filter((data) => !isControl(data)).map((data) => data[1]),
    resumed: () =>
      got
        .filter(isControl)
        .map(decodeServerControl)
        .find(({ type }) => type === "resumed"),
  };
}

it("is asked by the connection that it may already be on to look again, when a later dial is taken", () => {
  const { players, link } = restored();
  const [first, second] = [dial(), dial()];
  expect(players.accept(first.socket, "ann", "token")).toBe(true);
  expect(players.accept(second.socket, "ann", "token")).toBe(true);
  // The SDK does so for this code, and takes most others for the end of its session.
  expect([first.closed, second.closed]).toEqual([[CLOSE_ROOM_MOVED], []]);
  expect(second.heard()).toEqual([0, 1, 2]);
  expect(second.resumed()).toMatchObject({ sent: SENT, received: 4 });
  second.say(encodeControl({ type: "replay", received: SENT }));
  const third = dial();
  expect(players.accept(third.socket, "ann", "token")).toBe(false);
  expect([second.closed, link.connected]).toEqual([[], true]);
});

it("hears nothing twice that it had by a connection of which the room heard nothing", () => {
  const { players, link } = restored();
  const [first, second, third] = [dial(), dial(), dial()];
  expect(players.accept(first.socket, "ann", "token")).toBe(true);
  link.send(frame(3));
  const had = { epoch: EPOCH, received: SENT + 2 };
  expect(players.accept(second.socket, "ann", "token", had)).toBe(true);
  expect(second.resumed()).toMatchObject({ sent: SENT + 2 });
  expect(second.heard()).toEqual([2, 3]);
  link.send(frame(4));
  // Of an earlier host, or more than was ever sent: nothing of this room's, or all of it.
  expect(players.accept(third.socket, "ann", "token", { epoch: EPOCH - 1, received: SENT + 2 })).toBe(true);
  expect(third.heard()).toEqual([0, 1, 2, 3, 4]);
  const fourth = dial();
  expect(players.accept(fourth.socket, "ann", "token", { epoch: EPOCH, received: 1_000 })).toBe(true);
  expect([fourth.resumed(), fourth.heard()]).toMatchObject([{ sent: SENT + 5 }, []]);
});
