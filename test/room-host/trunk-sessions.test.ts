/** Many players come by one trunk: what goes wrong for one of them is nobody else's affair. */
import { PROTOCOL_VERSION } from "@centroid/protocol";
import { prove } from "@centroid/protocol/node";
import {
  encodeTrunkFrame,
  gatewayKey,
  readTrunkPack,
  sessionPass,
  type TrunkFrame,
} from "@centroid/protocol/trunk";
import { expect, it } from "vitest";
import type { PlayerConnection } from "../../infra/room-host/dist/connections/transport.js";
import type { ServerSocket } from "../../infra/room-host/dist/sockets/server-socket.js";
import { TrunkServer } from "../../infra/room-host/dist/trunk/trunk-server.js";

const SECRET = "secret of this room host";
const gatewayId = "g";

/** A gateway's connection to it, proven; and what the room host has said on it. */
function gatewayAt(server: TrunkServer) {
  const said: TrunkFrame[] = [];
  const closed: number[] = [];
  let hear: (pack: Buffer) => void = () => undefined;
  const reader = { data: () => undefined, frame: (frame: TrunkFrame) => void said.push(frame) };
  const socket: ServerSocket = {
    send: (pack) => readTrunkPack(Buffer.from(pack), reader),
    close: (code) => void closed.push(code),
    onMessage: (listener) => {
      hear = listener;
    },
    onClose: () => undefined,
  };
  server.accept(socket);
  const [first] = said;
  if (first?.type !== "hello" || first.hello.step !== "challenge") throw new Error("no challenge");
  const what = { protocol: PROTOCOL_VERSION, hostId: gatewayId, challenge: first.hello.challenge };
  const nonce = "0123456789abcdef";
  const proof = prove(gatewayKey(SECRET, gatewayId), "gateway", { ...what, nonce });
  const say = (frame: Parameters<typeof encodeTrunkFrame>[0]): void => hear(encodeTrunkFrame(frame));
  say({ type: "hello", hello: { step: "answer", gatewayId, run: "r", nonce, proof } });
  const open = (stream: number, sessionId: string): void => {
    const roomId = "room";
    const pass = sessionPass(SECRET, { gatewayId, roomId, sessionId });
    const opening = { roomId, sessionId, query: "", headers: {}, address: "192.0.2.1", pass };
    say({ type: "open", stream, opening });
  };
  return { said, closed, say, open };
}

it("a session whose frame, end or arrival cannot be handled costs no other one anything, and is told of", async () => {
  const notices: string[] = [];
  const heard: string[] = [];
  const failing = (): never => {
    throw new Error("a slip of the room's author");
  };
  const server = new TrunkServer({
    processId: "p",
    say: (line) => void notices.push(line),
    onConnection: ({ socket, query }: PlayerConnection) => {
      const sessionId = query.get("sessionId");
      if (sessionId === "arrives") failing();
      socket.onMessage(sessionId === "speaks" ? failing : (frame) => heard.push(String(frame)));
      socket.onClose(sessionId === "ends" ? failing : () => heard.push(`${sessionId} has gone`));
    },
  });
  server.secret = SECRET;
  const { said, closed, say, open } = gatewayAt(server);
  for (const [stream, sessionId] of ["arrives", "speaks", "ends", "well"].entries()) open(stream, sessionId);
  say({ type: "data", stream: 1, data: Buffer.from("boo") });
  say({ type: "close", stream: 2, code: 4000, reason: "" });
  say({ type: "data", stream: 3, data: Buffer.from("hello") });
  say({ type: "close", stream: 3, code: 4000, reason: "" });
  expect(heard).toEqual(["hello", "well has gone"]);
  expect(closed).toEqual([]);
  expect(notices).toHaveLength(3);
  for (const notice of notices)
    expect(notice).toMatch(/error in a connection: .*a slip of the room's author/);
  // The one that could not be taken in is told so, once this turn is over.
  await expect
    .poll(() => said)
    .toContainEqual(expect.objectContaining({ type: "close", stream: 0, code: 1011 }));
});
