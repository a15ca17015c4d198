/** The file a trace is written to while the broker runs. */
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import type { RecordedLine } from "@centroid/placement";
import { CentroidError } from "@centroid/protocol";
import type { Logger } from "./base/logger.js";

/** It says where players are and how they are connected: for its owner only. */
const MODE = 0o600;

export class TraceFile implements AsyncDisposable {
  readonly #stream: WriteStream;
  #failed = false;

  private constructor(stream: WriteStream, logger: Logger) {
    this.#stream = stream;
    // A full disk must not end rooms.
    stream.on("error", (cause) => {
      this.#failed = true;
      logger.error({ cause }, "the trace cannot be written; it ends here");
    });
  }

  /**
   * Replaces what is there.
   * @throws CentroidError CONFIG_INVALID if the file cannot be written
   */
  static async create(path: string, logger: Logger): Promise<TraceFile> {
    const stream = createWriteStream(path, { mode: MODE });
    await once(stream, "open").catch((cause: NodeJS.ErrnoException) => {
      throw new CentroidError(
        "CONFIG_INVALID",
        `trace: cannot write ${path} (${cause.code ?? cause.message})`,
        {
          cause,
        },
      );
    });
    return new TraceFile(stream, logger);
  }

  readonly write = (line: RecordedLine): void => {
    if (!this.#failed) this.#stream.write(`${JSON.stringify(line)}\n`);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#failed) return;
    await new Promise<void>((resolve) => this.#stream.once("close", resolve).end());
  }
}
