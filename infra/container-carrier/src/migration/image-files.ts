/** A folder of criu's images on its way, and memory that goes ahead of it while the room still runs. */
import { closeSync, createReadStream, openSync, writeSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { CentroidError } from "@centroid/protocol";
import { PAGE_BYTES, readPageImages } from "../criu/page-images.js";
import { PageLog } from "../memory/page-log.js";
import type { Recipe, SentPages } from "../memory/sent-pages.js";
import type { ImageWire, ToDestination } from "./image-wire.js";

const CHUNK_BYTES = 1 << 20;
/** A list of more would take longer than the pages. */
const MAX_PIECES = 20_000;

/** Sends memory ahead. */
export async function sendPages(wire: ImageWire, chunks: readonly Buffer[]): Promise<void> {
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
  if (bytes === 0) return;
  wire.send({ type: "pages", bytes });
  for (const chunk of chunks) await wire.write(chunk);
}

/** Sends every file of a folder, after a message that lists them. @param sent what the destination has by now */
export async function sendFolder(wire: ImageWire, folder: string, sent?: SentPages): Promise<void> {
  const recipes = sent === undefined ? new Map<string, Recipe>() : await recipesOf(folder, sent);
  const names = (await readdir(folder)).sort();
  const files = await Promise.all(
    names.map(async (name) => {
      const recipe = recipes.get(name);
      if (recipe !== undefined) return { name, bytes: recipe.fresh.length, pieces: recipe.pieces };
      return { name, bytes: (await stat(join(folder, name))).size };
    }),
  );
  wire.send({ type: "images", files });
  for (const { name } of files) {
    const recipe = recipes.get(name);
    if (recipe !== undefined) await wire.write(recipe.fresh);
    else
      for await (const chunk of createReadStream(join(folder, name), { highWaterMark: CHUNK_BYTES }))
        await wire.write(chunk);
  }
}

async function recipesOf(folder: string, sent: SentPages): Promise<Map<string, Recipe>> {
  const recipes = new Map<string, Recipe>();
  for (const image of await readPageImages(folder)) {
    const recipe = sent.recipe(image, await readFile(join(folder, image.name)));
    if (recipe !== undefined && recipe.pieces.length <= MAX_PIECES) recipes.set(image.name, recipe);
  }
  return recipes;
}

/** Takes what was sent ahead until the files come. @param mostBytes more is refused */
export class ImageReceiver {
  readonly #pages = new PageLog();
  readonly #mostBytes: number;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  async pages(
    wire: ImageWire,
    { bytes }: Extract<ToDestination, { type: "pages" }>,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#pages.pages * PAGE_BYTES + bytes > this.#mostBytes)
      throw new CentroidError("BAD_REQUEST", "more memory came ahead than a room of this host may have");
    const chunk = Buffer.allocUnsafe(bytes);
    let at = 0;
    await wire.read(
      bytes,
      (part) => {
        at += part.copy(chunk, at);
      },
      signal,
    );
    this.#pages.append(chunk);
  }

  /** Writes the files of a message into a folder. */
  async folder(
    wire: ImageWire,
    { files }: Extract<ToDestination, { type: "images" }>,
    folder: string,
    signal: AbortSignal,
  ): Promise<void> {
    for (const { name, bytes, pieces } of files) {
      const file = openSync(join(folder, name), "wx", 0o600);
      // The folder is memory: waiting for a thread would take longer than writing does.
      const put = (chunk: Buffer): void => writeAll(file, chunk);
      try {
        if (pieces === undefined) await wire.read(bytes, put, signal);
        else
          for (const [place, count] of pieces)
            if (place === null) await wire.read(count * PAGE_BYTES, put, signal);
            else for (const slice of this.#pages.slices(place, count)) put(slice);
      } finally {
        closeSync(file);
      }
    }
  }
}

function writeAll(file: number, chunk: Buffer): void {
  for (let written = 0; written < chunk.length; )
    written += writeSync(file, chunk, written, chunk.length - written);
}
