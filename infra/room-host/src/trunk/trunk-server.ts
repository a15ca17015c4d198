/**
 * Where gateways come in: each proves on its connection that a broker has given it this room host, and each session that
 * it carries, that a broker has given it that session. What a player's own socket would say of its address, the gateway says.
 */
import { randomUUID } from "node:crypto";
import { CentroidError, CLOSE_REFUSED, PROTOCOL_VERSION } from "@centroid/protocol";
import { newNonce, prove, proves } from "@centroid/protocol/node";
import {
  encodeTrunkFrame,
  gatewayKey,
  readTrunkPack,
  type StreamOpening,
  type TrunkHello,
  type TrunkReader,
} from "@centroid/protocol/trunk";
import { createAuthContext } from "@colyseus/core";
import type { PlayerConnection } from "../connections/transport.js";
import { saying } from "../sockets/isolated.js";
import type { ServerSocket } from "../sockets/server-socket.js";
import { HostTrunk } from "./host-trunk.js";

/** A gateway answers at once; one that does not is not waited for. */
const HELLO_TIMEOUT_MS = 5_000;

export interface TrunkServerOptions {
  processId: string;
  onConnection: (connection: PlayerConnection) => void;
  /** Told of every error in a session. */
  say: (line: string) => void;
}

export class TrunkServer {
  readonly #options: TrunkServerOptions;
  /** Another one after each start of this process: streams of before are gone. */
  readonly #instance = randomUUID();
  /** By gateway and run. */
  readonly #trunks = new Map<string, HostTrunk>();
  /** What gateways are checked by; until the agent has said it none comes in. */
  secret: string | undefined;

  constructor(options: TrunkServerOptions) {
    this.#options = options;
  }

  accept(socket: ServerSocket): void {
    const { secret } = this;
    if (secret === undefined) {
      socket.close(CLOSE_REFUSED, "this host takes no gateways");
      return;
    }
    const challenge = newNonce();
    let trunk: HostTrunk | undefined;
    const late = setTimeout(() => socket.close(CLOSE_REFUSED, "no answer"), HELLO_TIMEOUT_MS);
    late.unref();
    socket.onClose(() => clearTimeout(late));
    const unproven = (): CentroidError => new CentroidError("FRAME_INVALID", "answer the challenge first");
    const stranger: TrunkReader = {
      data: () => {
        throw unproven();
      },
      frame: (first) => {
        if (trunk !== undefined || first.type !== "hello" || first.hello.step !== "answer") throw unproven();
        clearTimeout(late);
        trunk = this.#prove(socket, secret, challenge, first.hello);
      },
    };
    socket.onMessage((pack) => {
      try {
        if (trunk === undefined) readTrunkPack(pack, stranger);
        else trunk.receive(socket, pack);
      } catch (cause) {
        socket.close(CLOSE_REFUSED, CentroidError.from(cause).code);
      }
    });
    socket.send(
      encodeTrunkFrame({ type: "hello", hello: { step: "challenge", challenge, instance: this.#instance } }),
    );
  }

  /** @throws CentroidError UNAUTHORIZED */
  #prove(
    socket: ServerSocket,
    secret: string,
    challenge: string,
    { gatewayId, run, nonce, proof }: Extract<TrunkHello, { step: "answer" }>,
  ): HostTrunk {
    const key = gatewayKey(secret, gatewayId);
    const what = { protocol: PROTOCOL_VERSION, hostId: gatewayId, challenge, nonce };
    if (!proves(proof, key, "gateway", what))
      throw new CentroidError("UNAUTHORIZED", `gateway ${gatewayId} was not given this room host`);
    socket.send(
      encodeTrunkFrame({ type: "hello", hello: { step: "accepted", proof: prove(key, "room-host", what) } }),
    );
    const name = JSON.stringify([gatewayId, run]);
    const trunk =
      this.#trunks.get(name) ??
      new HostTrunk({
        gatewayId,
        secret,
        accept: (opening, stream) => this.#open(opening, stream),
        failed: saying(this.#options.say),
        onEnded: () => this.#trunks.delete(name),
      });
    this.#trunks.set(name, trunk);
    trunk.attach(socket);
    return trunk;
  }

  #open({ roomId, sessionId, query, headers, address }: StreamOpening, socket: ServerSocket): void {
    const asked = new URLSearchParams(query);
    asked.set("sessionId", sessionId);
    const token = asked.get("_authToken");
    this.#options.onConnection({
      socket,
      path: `/${this.#options.processId}/${roomId}`,
      query: asked,
      context: createAuthContext({ headers, token, remoteAddress: address }),
    });
  }
}
