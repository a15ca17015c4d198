/** A player of a simulated world: the SDK's real transport under a few lines of Colyseus' client protocol. */
import type { SeatReservation } from "@centroid/protocol";
import { decode } from "@colyseus/schema";
import { unpack } from "msgpackr";
import type { Located } from "../../client/sdk/dist/recovery.js";
import { ask } from "./broker-node.js";
import type { Happening } from "./history.js";
import type { Network } from "./network.js";
import type { Program } from "./program.js";
import { type Scheduler, SimProcess } from "./scheduler.js";
import type { SimSocket } from "./socket.js";
import type { Run } from "./surroundings.js";

const SAY_EVERY_MS = 120;
/** Colyseus' codes of frames. */
const JOIN_ROOM = 10;
const ROOM_DATA = 13;

export interface PlayerOptions {
  name: string;
  /** Machines of brokers, in the order in which they are asked. */
  brokers: readonly string[];
  program: Program<"player">;
  network: Network;
  run: Omit<Run, "process">;
  record: (happening: Happening) => void;
  /** True if its own connection has been cut lately. */
  excused: (player: string) => boolean;
}

export class Player {
  readonly name: string;
  readonly process: SimProcess;
  roomId = "";
  sessionId = "";
  said = 0;
  joined = false;
  ended = false;
  quiet = false;
  readonly #o: PlayerOptions;
  readonly #scheduler: Scheduler;
  #transport: InstanceType<Program<"player">["product"]["MigratingTransport"]> | undefined;
  #token: string | undefined;
  #fresh = true;

  constructor(options: PlayerOptions) {
    this.#o = options;
    this.#scheduler = options.run.scheduler;
    this.name = options.name;
    this.process = new SimProcess(options.name, options.name);
  }

  start(): void {
    const { program, run, network } = this.#o;
    this.#scheduler.start(this.process);
    const dial = (process: SimProcess, url: string): SimSocket => {
      const socket = network.dial(process, url);
      socket.tap = (data) => this.#observe(data);
      return socket;
    };
    program.run = { ...run, process: this.process, dial };
  }

  /** @throws Error if there is no seat */
  async join(how: "create" | "joinById", target: string): Promise<void> {
    const { program, network, record } = this.#o;
    const { roomId, sessionId, publicAddress, processId, centroid } = await ask<SeatReservation>(
      network,
      this.process,
      this.#o.brokers,
      { method: "match", how, target },
      20_000,
    );
    this.roomId = roomId;
    this.sessionId = sessionId;
    const url = `ws://${publicAddress}/${processId}/${roomId}?sessionId=${sessionId}`;
    const transport = new program.product.MigratingTransport(
      {
        onmessage: ({ data }) => this.#take(new Uint8Array(data)),
        onclose: ({ code }) => this.#closed(code),
      },
      {
        moving: () => undefined,
        cancelled: () => undefined,
        compare: () => undefined,
        ordered: () => undefined,
        measure: () => undefined,
        undelivered: () => undefined,
        moved: ({ restored, lost, duplicated, to }) => {
          this.#fresh ||= restored;
          record({ type: "moved", sessionId, hostId: to.hostId, restored, lost, doubled: duplicated });
        },
      },
      {
        epoch: centroid.epoch,
        reconnectionToken: () => this.#token,
        locate: (at) => this.#locate(at),
      },
    );
    this.#transport = transport;
    transport.connect(url);
  }

  async #locate(at: string): Promise<Located> {
    const { network } = this.#o;
    const where = await ask<{ publicAddress: string; processId: string } & Omit<Located, "url">>(
      network,
      this.process,
      this.#o.brokers,
      { method: "where", roomId: this.roomId },
    );
    const { search } = new URL(at);
    const { publicAddress, processId, ...found } = where;
    return { url: `ws://${publicAddress}/${processId}/${this.roomId}${search}`, ...found };
  }

  #take(frame: Uint8Array): void {
    if (frame[0] === JOIN_ROOM) {
      const length = frame[1] ?? 0;
      this.#token = Buffer.from(frame.subarray(2, 2 + length)).toString();
      this.#transport?.send(Uint8Array.of(JOIN_ROOM));
      this.joined = true;
      this.#say();
    } else if (frame[0] === ROOM_DATA) {
      const it = { offset: 1 };
      decode.string(frame as never, it);
      const number = unpack(frame.subarray(it.offset)) as number;
      this.#o.record({ type: "heard", sessionId: this.sessionId, number, fresh: this.#fresh });
      this.#fresh = false;
    }
  }

  #say(): void {
    if (this.ended || this.quiet) return;
    if (this.#transport?.isOpen === true) {
      const number = ++this.said;
      this.#o.record({ type: "said", sessionId: this.sessionId, number });
      const { getMessageBytes } = this.#o.program.product;
      this.#transport.send(getMessageBytes.raw(ROOM_DATA, "say", number));
    }
    this.#scheduler.after(SAY_EVERY_MS, this.process, () => this.#say());
  }

  #observe(data: string | Uint8Array): void {
    const { isControl, decodeServerControl } = this.#o.program.product.protocol;
    if (typeof data === "string" || !isControl(data)) return;
    const message = decodeServerControl(data);
    if (message.type === "ack")
      this.#o.record({ type: "acknowledged", sessionId: this.sessionId, count: message.received });
  }

  #closed(code: number): void {
    if (this.ended) return;
    this.ended = true;
    const excused = this.#o.excused(this.name);
    this.#o.record({ type: "session-ended", sessionId: this.sessionId, code, excused });
  }
}
