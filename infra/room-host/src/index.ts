/** What agents and carriers need of room hosts without loading Colyseus. */

export { type LastWords, lastWordsSchema, parseLastWords } from "./activity/last-words.js";
export { LAST_WORDS_FD } from "./activity/tell-last-words.js";
export { DEFAULT_COMPARE_INTERVAL_MS } from "./compare/interval.js";
export { CONTAINER_FILES } from "./container-files.js";
export { monotonicMs } from "./monotonic.js";
export { APP_MAIN, ROOM_HOST_MAIN } from "./program.js";
export { PULSE_INTERVAL_MS, PULSE_PORT } from "./pulse-port.js";
export { handleMove, type RoomMoveRequest, type RoomMoves } from "./rooms/room-moves.js";
export { DEFAULT_MAX_BYTES_PER_SECOND, DEFAULT_MAX_FRAMES_PER_SECOND } from "./sessions/player-limits.js";
