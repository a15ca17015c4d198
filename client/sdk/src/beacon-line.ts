/** One connection to a host's beacon: echoes go out numbered, answers are matched to them. */
import { bytesOf, dial, type SessionSocket } from "./dial.js";

const CONNECT_TIMEOUT_MS = 3_000;
/** No answer within this is a loss. */
const ECHO_TIMEOUT_MS = 1_500;
/** An echo's number is one byte. */
const NUMBERS = 256;

export class BeaconLine {
  readonly #socket: SessionSocket | undefined;
  readonly #opened: Promise<void>;
  readonly #waiting = new Map<number, { answered: () => void; closed: () => void }>();
  #next = 0;
  #closed = false;
  #fresh = true;
  #answeredBy: string | undefined;

  /** Dials at once. */
  constructor(url: string) {
    const socket = dial(() => url);
    this.#socket = socket;
    this.#closed = socket === undefined;
    this.#opened = new Promise((resolve, reject) => {
      if (socket === undefined) {
        reject(new Error("no address"));
        return;
      }
      const timer = setTimeout(() => {
        reject(new Error("no answer"));
        this.close();
      }, CONNECT_TIMEOUT_MS);
      socket.onopen = () => {
        clearTimeout(timer);
        resolve();
      };
      socket.onclose = socket.onerror = () => {
        clearTimeout(timer);
        reject(new Error("closed"));
        this.#end();
      };
    });
    // Whoever does not wait for the connection learns of its end from the echo.
    this.#opened.catch(() => undefined);
    if (socket === undefined) return;
    socket.onmessage = ({ data }) => {
      const bytes = bytesOf(data);
      const [number] = bytes;
      if (bytes.byteLength > 1) this.#answeredBy ??= new TextDecoder().decode(bytes.subarray(1));
      if (number !== undefined) this.#waiting.get(number)?.answered();
    };
  }

  /** What the other end calls itself, if it is a gateway. */
  get answeredBy(): string | undefined {
    return this.#answeredBy;
  }

  /** Nothing was answered yet: the first round trip pays for the connection's slow start. */
  get fresh(): boolean {
    return this.#fresh;
  }

  /**
   * Waits for the connection, then for one answer.
   * @returns the round trip in ms; undefined if no answer came in time
   * @throws if the connection does not come about, or breaks
   */
  async echo(): Promise<number | undefined> {
    await this.#opened;
    if (this.#closed) throw new Error("closed");
    const number = this.#next;
    this.#next = (number + 1) % NUMBERS;
    try {
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => resolve(undefined), ECHO_TIMEOUT_MS);
        const sentAtMs = performance.now();
        this.#waiting.set(number, {
          answered: () => {
            clearTimeout(timer);
            this.#fresh = false;
            resolve(performance.now() - sentAtMs);
          },
          closed: () => {
            clearTimeout(timer);
            reject(new Error("closed"));
          },
        });
        this.#socket?.send(new Uint8Array([number]));
      });
    } finally {
      this.#waiting.delete(number);
    }
  }

  close(): void {
    this.#socket?.close();
    this.#end();
  }

  #end(): void {
    this.#closed = true;
    for (const { closed } of this.#waiting.values()) closed();
  }
}
