/** @returns `to`, which begins with what is in `from` */
export function grown<
  T extends Float64Array | Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array,
>(from: T, to: T): T {
  to.set(from);
  return to;
}
