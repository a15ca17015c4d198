/** Many sockets of a server are read into one buffer: what each has sent arrives whole, in order, and with its end. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";
import { expect, it } from "vitest";
import { SharedReads } from "../../infra/gateway/dist/sessions/shared-reads.js";

const CLIENTS = 4;
/** Less and more than what is read at once. */
const CHUNKS = [1, 300, 5_000, 70_000, 200_000];

it("reads the sockets of Node's HTTP server (20.20) into one buffer, first bytes and end included", async () => {
  const reads = new SharedReads();
  const came: Buffer[][] = [];
  const ended: Promise<unknown>[] = [];
  const shared: boolean[] = [];
  const server = createServer();
  server.on("upgrade", ({ url = "" }, socket: Duplex, head: Buffer) => {
    const chunks: Buffer[] = [];
    came[Number(url.slice(1))] = chunks;
    if (head.byteLength > 0) socket.unshift(head);
    const take = (chunk: Buffer): void => void chunks.push(chunk);
    shared.push(reads.read(socket, take));
    socket.on("data", take);
    ended.push(once(socket, "end"));
    socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: bytes\r\nconnection: upgrade\r\n\r\n");
    socket.on("end", () => socket.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const sent = Array.from({ length: CLIENTS }, (_, client) =>
    CHUNKS.map((bytes, at) => Buffer.alloc(bytes, 16 * client + at)),
  );
  const clients = sent.map((_, client) => {
    const socket = connect(port, "127.0.0.1");
    // The first chunk comes with the request.
    const request = `GET /${client} HTTP/1.1\r\nhost: here\r\nupgrade: bytes\r\nconnection: upgrade\r\n\r\n`;
    socket.write(Buffer.concat([Buffer.from(request), sent[client]![0]!]));
    socket.resume();
    return socket;
  });
  await Promise.all(clients.map((socket) => once(socket, "data")));
  for (let at = 1; at < CHUNKS.length; at++)
    for (const [client, socket] of clients.entries()) socket.write(sent[client]![at]!);
  for (const socket of clients) socket.end();
  await Promise.all(clients.map((socket) => once(socket, "close")));
  await Promise.all(ended);
  expect(shared).toEqual(clients.map(() => true));
  for (const [client, chunks] of came.entries())
    expect(Buffer.concat(chunks).equals(Buffer.concat(sent[client]!))).toBe(true);
  await new Promise((resolve) => server.close(resolve));
});
