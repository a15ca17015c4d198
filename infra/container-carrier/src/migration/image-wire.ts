/**
 * How a container's images get from one agent to another: TLS with a key that only this move has, lines of JSON for
 * what is said and raw bytes for files. Nothing that was not encrypted leaves a host.
 */
import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import { CentroidError } from "@centroid/protocol";
import { z } from "zod";

/** Pre-shared keys with forward secrecy: no certificates, and a key that becomes known later opens nothing. */
const CIPHERS = "ECDHE-PSK-CHACHA20-POLY1305";
const TLS = { ciphers: CIPHERS, minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;
const MAX_LINE_BYTES = 1 << 20;
/** What comes faster than it is written waits with the sender. */
const MAX_WAITING_BYTES = 8 << 20;
const NEWLINE = 10;
const CONNECT_TIMEOUT_MS = 5_000;
/** Copied, and not waited for. */
const FEW_BYTES = 1 << 16;
/** A room stands still meanwhile. */
const STALL_MS = 3_000;
/** It runs meanwhile: a crowded host may take its time. */
const AHEAD_STALL_MS = 15_000;
/** Copying ahead takes as many as are worth it; this is what a destination bears. */
const MAX_ROUNDS = 10;
/** That follow in one message. */
const MOST_PAGES = 1_024;

/** Of criu's: the name is a file's, never a path. */
const fileSchema = z.object({
  name: z.string().regex(/^[\w.-]{1,100}$/),
  /** That follow, after those of the files before it. */
  bytes: z.number().int().nonnegative(),
});

export const toDestinationSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("prepare"),
    address: z.object({
      ip: z.ipv4(),
      mac: z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/),
      prefixBits: z.number().int().min(1).max(32),
      gateway: z.ipv4().optional(),
    }),
  }),
  /** Files of one round, or the next parts of them: from 1 on memory as it was a moment ago; 0 is all that is left then. */
  z.object({
    type: z.literal("files"),
    round: z.number().int().min(0).max(MAX_ROUNDS),
    files: z.array(fileSchema).max(10_000),
  }),
  /**
   * Everything has been sent that it takes to run: from here on the source cannot know who has the room until it is
   * answered.
   */
  z.object({
    type: z.literal("restore"),
    /** How many rounds of memory ahead count. */
    ahead: z.number().int().min(0).max(MAX_ROUNDS),
    /** The rest of its memory follows while it runs; until then the room is neither here nor there. */
    lazy: z.boolean(),
  }),
  /** So many pages follow: those from `at` on that a process lacks, in the order of their addresses. */
  z.object({
    type: z.literal("pages"),
    pid: z.number().int().positive(),
    at: z.number().int().nonnegative(),
    count: z.number().int().positive().max(MOST_PAGES),
  }),
  /** There are no more. */
  z.object({ type: z.literal("all") }),
]);
export type ToDestination = z.output<typeof toDestinationSchema>;

export const toSourceSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("prepared") }),
  /** The room stands still until it has this one of the pages that follow. */
  z.object({
    type: z.literal("wanted"),
    pid: z.number().int().positive(),
    at: z.number().int().nonnegative(),
  }),
  /** It runs, before its memory is complete. */
  z.object({ type: z.literal("running") }),
  /** The room runs at the destination and has answered there. */
  z.object({ type: z.literal("accepted") }),
  /** It does not, and never will. */
  z.object({
    type: z.literal("refused"),
    message: z.string(),
    /** Players may have heard of it from there. */
    ran: z.boolean(),
  }),
]);
export type ToSource = z.output<typeof toSourceSchema>;

export interface FileToSend {
  readonly name: string;
  readonly bytes: number;
  /** Each is there until the next is asked for. */
  readonly chunks: Iterable<Buffer>;
}

export const fileOf = (name: string, content: Buffer): FileToSend => ({
  name,
  bytes: content.length,
  chunks: [content],
});

/** One connection: lines and files in the order they were sent. */
export class ImageWire implements Disposable {
  readonly #socket: TLSSocket;
  readonly #received: Buffer[] = [];
  #waitingBytes = 0;
  #wake: (() => void) | undefined;
  #ended = false;
  #over = false;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#ended = true;
      this.#wake?.();
    });
    socket.on("data", (data) => {
      if (this.#over) return;
      this.#received.push(data);
      this.#waitingBytes += data.length;
      if (this.#waitingBytes > MAX_WAITING_BYTES) socket.pause();
      this.#wake?.();
    });
  }

  get bytesSent(): number {
    return this.#socket.bytesWritten;
  }

  send(message: ToDestination | ToSource): void {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  async #more(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#ended) await this.#woken(signal);
    signal.throwIfAborted();
    if (this.#ended && this.#received.length === 0) throw hungUp();
  }

  /** Up to so many bytes of what has come. */
  #take(mostBytes: number): Buffer | undefined {
    const first = this.#received.shift();
    if (first === undefined) return undefined;
    const taken = first.subarray(0, mostBytes);
    if (taken.length < first.length) this.#received.unshift(first.subarray(taken.length));
    this.#waitingBytes -= taken.length;
    if (this.#waitingBytes <= MAX_WAITING_BYTES && this.#socket.isPaused()) this.#socket.resume();
    return taken;
  }

  #line(): string | undefined {
    const at = this.#received.findIndex((chunk) => chunk.includes(NEWLINE));
    if (at < 0) return undefined;
    const parts: Buffer[] = [];
    for (let chunk = 0; chunk <= at; chunk++) {
      const end = chunk < at ? undefined : this.#received[0]?.indexOf(NEWLINE);
      parts.push(this.#take(end ?? Number.POSITIVE_INFINITY) ?? Buffer.alloc(0));
    }
    this.#take(1);
    return Buffer.concat(parts).toString();
  }

  /** Until something has happened to the connection, or the signal. */
  async #woken(signal: AbortSignal): Promise<void> {
    let wake = (): void => undefined;
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#wake = wake;
    signal.addEventListener("abort", wake);
    await woken;
    signal.removeEventListener("abort", wake);
  }

  /** The next message. @throws CentroidError HOST_LOST when the connection ends first */
  async receive<T>(schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      const line = this.#line();
      if (line !== undefined) return schema.parse(JSON.parse(line));
      if (this.#waitingBytes > MAX_LINE_BYTES) throw new CentroidError("BAD_REQUEST", "a line is too long");
      if (this.#ended) throw hungUp();
      await this.#more(signal);
    }
  }

  /** Announces files, or the next parts of them, and writes them. @throws CentroidError HOST_LOST when the connection ends */
  async sendFiles(round: number, files: readonly FileToSend[]): Promise<void> {
    this.send({ type: "files", round, files: files.map(({ name, bytes }) => ({ name, bytes })) });
    for (const { chunks } of files)
      for (const chunk of chunks)
        if (chunk.length < FEW_BYTES) this.#socket.write(Buffer.from(chunk));
        else await this.#write(chunk, round === 0 ? STALL_MS : AHEAD_STALL_MS);
  }

  /** Pages for a room that runs at the other end. @throws CentroidError HOST_LOST when the connection ends */
  async sendPages(pages: { pid: number; at: number; count: number }, bytes: Buffer): Promise<void> {
    this.send({ type: "pages", ...pages });
    await this.#write(bytes, STALL_MS);
  }

  /** Resolves when the chunk is no longer needed. */
  async #write(chunk: Buffer, stallMs: number): Promise<void> {
    // A link that is cut says nothing.
    const stalled = setTimeout(() => this.#socket.destroy(), stallMs);
    const error = await new Promise<Error | null | undefined>((resolve) => {
      this.#socket.write(chunk, resolve);
    });
    clearTimeout(stalled);
    if (error || this.#ended) throw hungUp();
  }

  /** Hands so many bytes of what comes to `put`, in order. */
  async read(bytes: number, put: (chunk: Buffer) => void, signal: AbortSignal): Promise<void> {
    for (let left = bytes; left > 0; ) {
      const chunk = this.#take(left);
      if (chunk === undefined) await this.#more(signal);
      else {
        put(chunk);
        left -= chunk.length;
      }
    }
  }

  /** Says the last word: whatever still comes is of no use. */
  end(message: ToSource): void {
    this.#over = true;
    this.#socket.end(`${JSON.stringify(message)}\n`);
    this.#socket.resume();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

const hungUp = (): CentroidError => new CentroidError("HOST_LOST", "the other host's agent has hung up");

/** @param moveId known to the destination, with this secret */
export async function dialDestination(url: string, moveId: string, secret: string): Promise<ImageWire> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...TLS,
      host: hostname,
      port: Number(port),
      pskCallback: () => ({ identity: moveId, psk: Buffer.from(secret, "hex") }),
      // The key is the proof; there is no certificate.
      checkServerIdentity: () => undefined,
    });
    const timer = setTimeout(
      () => socket.destroy(new Error(`no answer within ${CONNECT_TIMEOUT_MS} ms`)),
      CONNECT_TIMEOUT_MS,
    );
    socket.once("error", (cause) => {
      clearTimeout(timer);
      reject(
        new CentroidError("HOST_LOST", `the other host's agent cannot be reached: ${cause.message}`, {
          cause,
        }),
      );
    });
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      resolve(new ImageWire(socket));
    });
  });
}

export interface ImageListener extends AsyncDisposable {
  readonly port: number;
}

/**
 * @param secretOf of a move that is expected; undefined for any other, which is refused
 * @param onMove told of each connection that knew its move's secret
 */
export async function listenForImages(
  host: string,
  port: number,
  secretOf: (moveId: string) => string | undefined,
  onMove: (moveId: string, wire: ImageWire) => void,
): Promise<ImageListener> {
  const moves = new WeakMap<TLSSocket, string>();
  const server: Server = createServer({
    ...TLS,
    pskCallback: (socket, identity) => {
      const secret = secretOf(identity);
      if (secret === undefined) return null;
      moves.set(socket, identity);
      return Buffer.from(secret, "hex");
    },
  });
  const sockets = new Set<TLSSocket>();
  server.on("tlsClientError", () => undefined);
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const moveId = moves.get(socket);
    if (moveId === undefined) socket.destroy();
    else onMove(moveId, new ImageWire(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
