/** Players learn that their host is there from what it sends them anyway. */
import { decodeServerControl, isControl } from "@centroid/protocol";
import { expect, it } from "vitest";
import { SessionLink } from "../../infra/room-host/dist/sessions/session-link.js";
import type { ServerSocket } from "../../infra/room-host/dist/sockets/server-socket.js";

function socket(measures = true) {
  const said: string[] = [];
  const made: ServerSocket = {
    measures,
    send: (frame) => void said.push(isControl(frame) ? decodeServerControl(frame).type : "data"),
    close: () => undefined,
    onMessage: () => undefined,
    onClose: () => undefined,
  };
  return { said, made };
}

it("who was sent something is not told that the host is there, but once on each socket (LIFE-1)", () => {
  const link = new SessionLink(true);
  const first = socket();
  link.attach(first.made);
  link.alive();
  expect(first.said).toEqual(["alive"]);
  link.send(new Uint8Array([1]));
  link.alive();
  expect(first.said).toEqual(["alive", "data"]);
  link.alive();
  expect(first.said).toEqual(["alive", "data", "alive"]);
  const second = socket();
  link.attach(second.made);
  link.send(new Uint8Array([1]));
  link.alive();
  expect(second.said).toEqual(["data", "alive"]);
});

it("a client of before, which counts nothing else, is told whatever it is sent", () => {
  const link = new SessionLink(true);
  const { said, made } = socket(false);
  link.attach(made);
  link.alive();
  link.send(new Uint8Array([1]));
  link.alive();
  expect(said).toEqual(["alive", "data", "alive"]);
});
