/** Where a guest beats, and how often: what a client at a fast push rate would see of a move. */
export const PULSE_PORT = 2568;
export const PULSE_INTERVAL_MS = 10;
