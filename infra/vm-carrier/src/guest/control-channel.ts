/** The agent's line to a guest: its second serial port, a UNIX socket at the host. */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { createInterface, type Interface } from "node:readline";

/** As many bytes as the kernel's generator is seeded with. */
const entropyBytes = 64;

export interface GuestIdentity {
  readonly mac: string;
  readonly ip: string;
  readonly prefixBits: number;
  readonly gateway?: string;
}

/** A guest did not say what was expected of it in time. */
export class GuestSilentError extends Error {
  override readonly name = "GuestSilentError";
  readonly code = "GUEST_SILENT";
}

export class ControlChannel implements Disposable {
  readonly #socket: Socket;
  readonly #lines: Interface;
  readonly #heard: string[] = [];
  /** Told every line that is a message of the room host. */
  onMessage: ((line: string) => void) | undefined;
  onClosed: (() => void) | undefined;
  readonly #waiting = new Set<{ matches: (line: string) => boolean; resolve: (line: string) => void }>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("close", () => this.onClosed?.());
    this.#lines = createInterface({ input: socket });
    this.#lines.on("error", () => {});
    this.#lines.on("line", (line) => this.#hear(line));
  }

  static open(path: string): Promise<ControlChannel> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new ControlChannel(socket));
      });
    });
  }

  #hear(line: string): void {
    if (line.startsWith("{")) {
      this.onMessage?.(line);
      return;
    }
    for (const waiter of this.#waiting) {
      if (!waiter.matches(line)) continue;
      this.#waiting.delete(waiter);
      waiter.resolve(line);
      return;
    }
    this.#heard.push(line);
  }

  send(line: string): void {
    this.#socket.write(`${line}\n`);
  }

  /** The next line starting with `prefix`, heard already or still to come. @throws {GuestSilentError} */
  expect(prefix: string, timeoutMs: number): Promise<string> {
    const matches = (line: string) => line.startsWith(prefix);
    const index = this.#heard.findIndex(matches);
    if (index >= 0) return Promise.resolve(this.#heard.splice(index, 1)[0] ?? "");
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiter);
        reject(
          new GuestSilentError(
            `the guest did not say "${prefix}" within ${timeoutMs} ms; see its console log`,
          ),
        );
      }, timeoutMs);
      const waiter = {
        matches,
        resolve: (line: string) => {
          clearTimeout(timer);
          resolve(line);
        },
      };
      this.#waiting.add(waiter);
    });
  }

  /** Gives the guest its own MAC, address, clock and fresh entropy; it answers once it is reachable. */
  async identify(identity: GuestIdentity, timeoutMs: number): Promise<void> {
    const { mac, ip, prefixBits, gateway } = identity;
    const entropy = randomBytes(entropyBytes).toString("hex");
    this.send(`identity ${mac} ${ip} ${prefixBits} ${gateway ?? "-"} ${Date.now()} ${entropy}`);
    await this.expect(`identified ${ip}`, timeoutMs);
  }

  [Symbol.dispose](): void {
    this.#lines.close();
    this.#socket.destroy();
  }
}
