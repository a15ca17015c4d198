/** The machine's own clock, ms: never set, and the same in all of its processes, unlike `performance.now()`. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;
