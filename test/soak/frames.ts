/** Frames whose bytes show whether they are whole, and how large each is. */
import type { Draw } from "../support/draw.js";

/** From player to room. */
export interface Put {
  number: number;
  bytes: Uint8Array;
  answerBytes: number;
}

/** From room to player. */
export interface Got {
  number: number;
  bytes: Uint8Array;
}

export function filled(bytes: number, number: number): Uint8Array {
  return new Uint8Array(bytes).fill(number % 251);
}

/** Looks at both ends and some of the middle: a megabyte is quickly made, and slowly read byte by byte. */
export function isFilled(bytes: Uint8Array, number: number): boolean {
  const step = Math.max(1, Math.floor(bytes.byteLength / 64));
  for (let at = 0; at < bytes.byteLength; at += step) if (bytes[at] !== number % 251) return false;
  return bytes.at(-1) === number % 251;
}

/** From 1 to `mostBytes`, each order of magnitude as often. */
export const drawSize = (draw: Draw, mostBytes: number): number =>
  Math.max(1, Math.round(Math.exp(draw.unit() * Math.log(mostBytes))));
