/** Which address the next sandbox of a host gets: in turn, and on later rounds only what nobody answers at. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { CentroidError } from "@centroid/protocol";
import { PULSE_PORT } from "@centroid/room-host";
import { type AddressRange, addressAt, countOf } from "./sandbox-network.js";

/** A guest answers within a round trip and one pause of a move. */
const ANSWER_TIMEOUT_MS = 1_000;

export interface GuestAddressesOptions {
  /** Keeps how many were given. */
  readonly directory: string;
  readonly range: AddressRange;
  readonly isTaken?: (address: string) => Promise<boolean>;
}

export class GuestAddresses {
  readonly #options: GuestAddressesOptions;
  readonly #isTaken: (address: string) => Promise<boolean>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: GuestAddressesOptions) {
    this.#options = options;
    this.#isTaken = options.isTaken ?? somebodyAnswersAt;
  }

  /** @throws CentroidError HOST_LOST when all are in use: another host may have some left */
  next(): Promise<string> {
    const turn = this.#turn.then(() => this.#next());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #next(): Promise<string> {
    const { directory, range } = this.#options;
    const path = join(directory, "next-address");
    const count = countOf(range);
    const given = Number(await readFile(path, "utf8").catch(() => "0"));
    for (let tried = 0; tried < count; tried++) {
      const address = addressAt(range, (given + tried) % count);
      // Rooms outlive a round, wherever they have moved to.
      if (given + tried >= count && (await this.#isTaken(address))) continue;
      await writeFile(`${path}.new`, String(given + tried + 1));
      await rename(`${path}.new`, path);
      return address;
    }
    throw new CentroidError(
      "HOST_LOST",
      `all addresses from ${range.from} to ${range.to} are in use: give this host more in its settings file`,
    );
  }
}

/** True also if it is refused there: then somebody has refused. */
function somebodyAnswersAt(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: PULSE_PORT });
    const answer = (taken: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(taken);
    };
    const timer = setTimeout(() => answer(false), ANSWER_TIMEOUT_MS);
    socket.once("connect", () => answer(true));
    socket.on("error", (cause: NodeJS.ErrnoException) => answer(cause.code === "ECONNREFUSED"));
  });
}
