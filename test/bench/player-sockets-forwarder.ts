/**
 * Players' WebSockets on Node's sockets, as a gateway has them, or on uWebSockets.js, as a room host has them, and nothing
 * behind them but one connection. Arguments: which of the two, and the port to connect to. Says its own port.
 */
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { listen } from "@centroid/room-host/sockets";
import { PlayerSocket } from "../../infra/gateway/dist/sessions/player-socket.js";
import { TurnEnd } from "../../infra/gateway/dist/sessions/turn-end.js";
import { answerHandshake } from "../../infra/gateway/dist/websocket/handshake.js";

const MAX_FRAME_BYTES = 64 * 1024;
const HEAD_BYTES = 4;

const [kind, trunkPort] = process.argv.slice(2);
const trunk = connect({ port: Number(trunkPort), host: "127.0.0.1", noDelay: true });
trunk.once("close", () => process.exit());
const turnEnd = new TurnEnd(setImmediate);
const players: ((frame: Buffer) => void)[] = [];
let said: Buffer[] = [];
const forward = {
  frame: (frame: Buffer): void => {
    if (said.push(frame) === 1) turnEnd.flushLater(forward);
  },
  flush: (): void => {
    trunk.write(Buffer.concat(said));
    said = [];
  },
};

let left: Buffer = Buffer.alloc(0);
trunk.on("data", (chunk: Buffer) => {
  const whole = left.byteLength === 0 ? chunk : Buffer.concat([left, chunk]);
  let at = 0;
  while (at + HEAD_BYTES <= whole.byteLength) {
    const end = at + HEAD_BYTES + whole.readUInt16LE(at + 2);
    if (end > whole.byteLength) break;
    players[whole.readUInt16LE(at)]?.(whole.subarray(at + HEAD_BYTES, end));
    at = end;
  }
  left = whole.subarray(at);
});

if (kind === "node") {
  const server = createServer();
  server.on("upgrade", (request, stream, head) => {
    if (!answerHandshake(request, stream)) return;
    const ignore = (): void => undefined;
    const events = { frame: forward.frame, slow: ignore, measured: ignore, closed: ignore };
    const socket = new PlayerSocket(stream, head, turnEnd, events);
    players.push((frame) => socket.send(frame));
  });
  server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
} else {
  const server = await listen(
    {
      ...{ host: "127.0.0.1", port: 0, notice: "", keepAlive: true, idleTimeoutS: 120 },
      ...{ maxFrameBytes: MAX_FRAME_BYTES, maxBackpressureBytes: 16 * MAX_FRAME_BYTES },
    },
    ({ socket }) => {
      players.push((frame) => socket.send(frame));
      // Its memory is taken back when this returns.
      socket.onMessage((frame) => forward.frame(Buffer.from(frame)));
    },
    (line) => console.error(line),
  );
  console.log(server.port);
}
