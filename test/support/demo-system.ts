/** `centroid up --emulate` with the demo's rooms and pages, whose rooms move when a test orders it and not before. */
import type { Room } from "@centroid/protocol";
import { orderMove } from "./order-move.js";
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
    await cli.roomsStay();
    const args = ["up", "--port", "0", "--emulate", "--hosts", "4", "--no-limits", ...more];
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

  /**
   * Orders the only room of that kind to whichever of the two hosts it is not at.
   * @returns where it came from and goes to
   */
  async moveAway(name: string, hosts: readonly [string, string]): Promise<{ from: string; to: string }> {
    const { from, hostId: to } = await orderMove(this.url, ADMIN_TOKEN, async () => {
      const { roomId, hostId: from } = await this.room(name);
      return { roomId, from, hostId: from === hosts[0] ? hosts[1] : hosts[0] };
    });
    return { from, to };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#up.kill("SIGINT");
    await this.#cli[Symbol.asyncDispose]();
  }
}
