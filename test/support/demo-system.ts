/** `centroid up --emulate` with the demo's rooms and pages, and orders to it. */
import type { Room } from "@centroid/protocol";
import type { RunningCli } from "./run-cli.js";
import { Cli } from "./run-cli.js";

const ADMIN_TOKEN = "demo-admin-token-0123";

export class DemoSystem implements AsyncDisposable {
  readonly url: string;
  readonly #cli: Cli;
  readonly #up: RunningCli;

  private constructor(cli: Cli, up: RunningCli, url: string) {
    this.#cli = cli;
    this.#up = up;
    this.url = url;
  }

  /** @param more options of `centroid up` */
  static async start(...more: string[]): Promise<DemoSystem> {
    const cli = await Cli.create();
    const args = ["up", "--port", "0", "--emulate", "--no-limits", ...more];
    const up = cli.start(args, { CENTROID_TOKEN: ADMIN_TOKEN });
    const [, url = ""] = await up.says(/(http:\S+)/);
    return new DemoSystem(cli, up, url);
  }

  /** The only room of that kind. */
  async room(name: string): Promise<Room> {
    const rooms = (await (await fetch(`${this.url}/api/v1/rooms`)).json()) as Room[];
    const [room, ...others] = rooms.filter((room) => room.name === name);
    if (room === undefined || others.length > 0) throw new Error(`${others.length + 1} rooms "${name}"`);
    return room;
  }

  /** Orders the room to another host. */
  async move({ roomId }: Room, hostId: string): Promise<void> {
    const response = await fetch(`${this.url}/api/v1/rooms/${roomId}/move`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_TOKEN}` },
      body: JSON.stringify({ hostId }),
    });
    if (!response.ok) throw new Error(await response.text());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#up.kill("SIGINT");
    await this.#cli[Symbol.asyncDispose]();
  }
}
