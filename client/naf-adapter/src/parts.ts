/** Messages that are larger than a frame may be: cut into pieces here, put together at the other page. */
import { CentroidError } from "@centroid/sdk";
import { type Incoming, MAX_MESSAGE_LENGTH, type Outgoing, PART_LENGTH } from "./wire.js";

/** The message as it is, or its pieces. @throws CentroidError FRAME_TOO_LARGE if even pieces would be too many */
export function cut(message: Outgoing, id: number): Outgoing[] {
  const text = JSON.stringify(message.data) ?? "";
  if (text.length <= PART_LENGTH) return [message];
  if (text.length > MAX_MESSAGE_LENGTH)
    throw new CentroidError(
      "FRAME_TOO_LARGE",
      `a message of ${text.length} characters; at most ${MAX_MESSAGE_LENGTH}, so pass on an address instead`,
    );
  const count = Math.ceil(text.length / PART_LENGTH);
  return Array.from({ length: count }, (_, index) => ({
    ...message,
    data: text.slice(index * PART_LENGTH, (index + 1) * PART_LENGTH),
    part: { id, index, count },
  }));
}

/** Pieces come in order, from each sender one message after the other. */
export class PartReader {
  readonly #begun = new Map<string, { id: number; pieces: string[] }>();

  /** @returns the whole message once its last piece is here */
  read({ from, type, data, part }: Incoming): { type: string; data: unknown } | undefined {
    if (part === undefined) return { type, data };
    const begun = this.#begun.get(from);
    const pieces = begun?.id === part.id ? begun.pieces : [];
    // One whose beginning was sent before this page was there cannot be read.
    if (pieces.length !== part.index) {
      this.#begun.delete(from);
      return undefined;
    }
    pieces.push(String(data));
    if (pieces.length < part.count) {
      this.#begun.set(from, { id: part.id, pieces });
      return undefined;
    }
    this.#begun.delete(from);
    try {
      return { type, data: JSON.parse(pieces.join("")) };
    } catch {
      return undefined;
    }
  }

  forget(from: string): void {
    this.#begun.delete(from);
  }
}
