/** Notes which room's code opens sockets, servers and child processes of this process. */
import type { ChildProcess } from "node:child_process";
import type { Socket as UdpSocket } from "node:dgram";
import { subscribe } from "node:diagnostics_channel";
import type { EventEmitter } from "node:events";
import { type Server, Socket } from "node:net";
import type { RoomResources } from "./room-resources.js";

/** @param ownerOf whose code runs just now */
export function followOpenHandles(ownerOf: () => RoomResources | undefined): void {
  const follow = <T extends EventEmitter>(
    resource: T,
    ends: string,
    describe: (resource: T) => string,
  ): void => {
    const owner = ownerOf();
    if (owner === undefined) return;
    owner.opened(resource, () => describe(resource));
    resource.once(ends, () => owner.closed(resource));
  };
  // On Node 20 the channel for sockets leaves those of TLS out; on Node 24 it has them.
  const { connect } = Socket.prototype as { connect: (...args: unknown[]) => Socket };
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
    follow(
      this,
      "close",
      (socket) => `a connection to ${socket.remoteAddress ?? "?"}:${socket.remotePort ?? "?"}`,
    );
    return connect.apply(this, args);
  } as typeof Socket.prototype.connect;
  subscribe("tracing:net.server.listen:asyncStart", (message) =>
    follow((message as { server: Server }).server, "close", () => "a server"),
  );
  subscribe("udp.socket", (message) =>
    follow((message as { socket: UdpSocket }).socket, "close", () => "a UDP socket"),
  );
  subscribe("child_process", (message) =>
    follow(
      (message as { process: ChildProcess }).process,
      "exit",
      ({ spawnfile, pid }) => `the process ${pid} (${spawnfile})`,
    ),
  );
}
