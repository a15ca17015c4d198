/** Good inputs of every reader, to be broken. */
const host = { hostId: "fra", name: "Frankfurt", latitude: 50.11, longitude: 8.68 };
const probes = [{ hostId: "fra", rttsMs: [10.5, 11], lost: 1 }];

export const serverControl = [
  { type: "moving", migrationId: "m1", epoch: 2, url: "ws://h:1/p/r", ticket: "t", host },
  { type: "moved", migrationId: "m1", epoch: 2, sent: 17 },
  { type: "cancelled", migrationId: "m1" },
  { type: "resumed", epoch: 2, received: 4, sent: 17, patchRateMs: 50 },
  { type: "ack", received: 256 },
  { type: "standby", url: "ws://h:1/p/r?sessionId=s", host },
  { type: "replaying", count: 2 },
  { type: "keeping" },
  { type: "alive", measures: true },
  { type: "map-order", refId: 3, indexes: [1, 0] },
  { type: "measure", next: ["fra"], intervalMs: 500 },
  { type: "digest", number: 1, hash: "h", skip: [[0, 1]] },
];
export const clientControl = [
  { type: "replay", received: 3 },
  { type: "received", received: 12 },
  { type: "diverged", number: 1, nodes: [[0, 7]] },
  { type: "measured", probes },
  { type: "report", migrationId: "m1", gapMs: 52.5, patchRateMs: 50, lost: 0, duplicated: 0 },
];
const record = {
  heap: [],
  views: [],
  clock: { elapsedMs: 5, timers: [], fixedTick: 0 },
  patchRateMs: 50,
  metadata: new Map([["a", new Date(0)]]),
  sessions: [{ sessionId: "s", auth: undefined, received: 1, sent: 2 }],
  seats: [],
};
const nodes = [
  [0, 1, { x: 1, name: "a" }],
  [1, 2, [1, 2.5, "c"]],
];
export const fromSource = [
  { type: "begin", options: { mode: "x" }, hasState: true },
  { type: "invite", invitations: [{ sessionId: "s", ticket: "t" }] },
  { type: "nodes", nodes },
  { type: "freeze", nodes, removed: [3], nextRefId: 9, stateHash: "h", sinceTickMs: 1.5, room: record },
  { type: "replayed", sessionId: "s", frames: [new Uint8Array([1, 2, 3])] },
  { type: "released" },
];
export const fromDestination = [
  { type: "ready" },
  { type: "accepted", stateHash: "h" },
  { type: "refused", error: { code: "ROOM_ERROR", message: "no" } },
  { type: "replay", sessionId: "s", received: 4 },
];
export const fromPrimary = [
  { type: "begin", options: { mode: "x" }, hasState: true },
  { type: "nodes", nodes },
  { type: "record", seq: 1, nodes, removed: [3], nextRefId: 9, stateHash: "h", takenAtMs: 1.5, room: record },
  { type: "retired" },
];
export const fromStandby = [{ type: "has", seq: 3 }];
const move = { migrationId: "m1", roomId: "r", fromHostId: "fra", toHostId: "iad", toEpoch: 2 };
export const journal = [{ ...move, reason: "latency", phase: "copying", startedAtMs: 1 }];
export const roomRecords = [
  {
    roomId: "r",
    name: "arena",
    hostId: "fra",
    carrier: "process",
    epoch: 1,
    fencedEpoch: 0,
    createdAtMs: 1,
    standby: { standbyId: "s", hostId: "iad" },
  },
];
export const checkpoints = [
  { format: 3, options: {}, hasState: true, nodes, nextRefId: 9, stateHash: "h", takenAtMs: 1, room: record },
];

const report = {
  roomId: "r1",
  name: "arena",
  carrier: "process",
  epoch: 1,
  processId: "p",
  address: "h:1",
  passive: false,
  locked: false,
  sessions: [{ sessionId: "s", playerId: "p" }],
};
export const agentToBroker = [
  { type: "published", topic: "news", data: { a: 1 } },
  { type: "answer", protocol: 1, hostId: "h", nonce: "n".repeat(22), proof: "p".repeat(43) },
  {
    type: "hello",
    ...host,
    region: "eu",
    capacityRooms: 5,
    carriers: ["process"],
    beaconUrl: "ws://h:1/beacon",
    roomTypes: ["arena"],
    rooms: [report],
  },
  { type: "heartbeat", load: 0.5, rssBytes: 1e8 },
  { type: "reply", requestId: 1, result: { a: 1 } },
  { type: "reply", requestId: 2, error: { code: "ROOM_FULL", message: "full" } },
  { type: "room", roomId: "r1", epoch: 1, change: { event: "left", sessionId: "s" } },
  {
    type: "room",
    roomId: "r1",
    epoch: 1,
    change: { event: "phase", migrationId: "m", phase: "frozen", bytes: 1 },
  },
];
const looked = { type: "away" };
const [probed] = probes;
export const gatewayToBroker = [
  { type: "answer", protocol: 1, gatewayId: "g", nonce: "n".repeat(22), proof: "p".repeat(43) },
  { type: "find-room", requestId: 1, processId: "p", roomId: "r1", sessionId: "s" },
  { type: "find-beacon", requestId: 2, hostId: "h", network: "n" },
  {
    type: "measured",
    requestId: 3,
    measured: { hosts: [probed], players: [{ roomId: "r1", sessionId: "s", rttMs: 3 }] },
  },
];
export const brokerToGateway = [
  { type: "challenge", challenge: "c".repeat(22) },
  { type: "accepted", proof: "p".repeat(43) },
  { type: "refused", error: { code: "UNAUTHORIZED", message: "another token" } },
  { type: "room", requestId: 1, found: looked },
  { type: "beacon", requestId: 2, found: looked },
  { type: "to-measure", requestId: 3, found: [{ hostId: "h", address: "h:1" }] },
];
const opening = {
  roomId: "r1",
  sessionId: "s",
  query: "sessionId=s",
  headers: { host: "x" },
  address: "127.0.0.1",
};
/** Between a gateway and a room host. */
export const trunk = [
  { type: "hello", hello: { step: "challenge", challenge: "c".repeat(22), instance: "i" } },
  { type: "hello", hello: { step: "answer", gatewayId: "g", run: "r", nonce: "n".repeat(22), proof: "p" } },
  { type: "open", stream: 1, opening: { ...opening, pass: "p", passed: true } },
  { type: "data", stream: 1, data: new Uint8Array([13, 1, 2, 3]) },
  { type: "close", stream: 1, code: 4000, reason: "left" },
  { type: "ack", stream: 1, received: 7 },
  { type: "resume", stream: 2, received: 0 },
  { type: "unknown", stream: 3 },
] as const;
export const messages = [
  { to: { kind: "everyone" }, type: "x", payload: { a: [1] } },
  { to: { kind: "room", fromSessionId: "s" }, type: 7 },
];
export const requests = [
  { method: "createRoom", roomId: "r1", name: "arena", options: {}, carrier: "process", epoch: 1 },
  { method: "reserveSeat", roomId: "r1", sessionId: "s", playerId: "p", options: null },
  { method: "kick", roomId: "r1", sessionId: "s" },
  { method: "message", roomId: "r1", message: messages[0] },
  {
    method: "migrateOut",
    migrationId: "m",
    roomId: "r1",
    mechanism: "handoff",
    epoch: 2,
    destination: { ...host, processId: "p", transferUrl: "ws://h:1", ticket: "t", addresses: { "": "h:1" } },
    deadlineMs: 1000,
  },
];
export const brokerToAgent = [
  { type: "published", topic: "news", data: { a: 1 } },
  { type: "challenge", challenge: "c".repeat(22) },
  { type: "accepted", proof: "p".repeat(43) },
  { type: "welcome", brokerId: "b", heartbeatIntervalMs: 1000 },
  { type: "refused", error: { code: "UNAUTHORIZED", message: "no" } },
  ...requests.map((request, requestId) => ({ type: "request", requestId, request })),
];

const decision = {
  decisionId: "d",
  roomId: "r1",
  atMs: 1,
  verdict: "stay",
  reason: "best",
  regret: 0,
  threshold: 1,
  candidates: [{ hostId: "fra", scoreMs: 1, meanMs: 1, maxMs: 1, load: 0, source: "measured" }],
  text: "stays",
};
export const events = [
  { type: "host-removed", seq: 1, atMs: 1, hostId: "fra" },
  { type: "decision", seq: 2, atMs: 1, decision },
  { type: "player", seq: 3, atMs: 1, player: { playerId: "p", roomId: "r", sessionId: "s", location: host } },
  {
    type: "snapshot",
    seq: 0,
    atMs: 1,
    brokerId: "b",
    emulated: true,
    hosts: [],
    rooms: [],
    players: [],
    migrations: [],
    receipts: [],
  },
];
export const hints = [
  { protocol: 1, playerId: "p", playerToken: "t", network: "n", location: host, probes, party: [{ probes }] },
];
export const probeReports = [{ playerId: "p", playerToken: "t", network: "n", location: host, probes }];
export const seats = [
  {
    name: "arena",
    sessionId: "s",
    roomId: "r1",
    processId: "p",
    publicAddress: "h:1",
    centroid: { protocol: 1, host, epoch: 1, playerId: "p", playerToken: "t" },
  },
];
export const configs = [
  { rooms: "./rooms", port: 2567, hosts: 3, placement: { capsMs: [50, 100] } },
  { hosts: [{ ...host, region: "eu", capacityRooms: 3 }], emulate: true, adminToken: "0123456789abcdef" },
];
export const matrices = [
  "from,to,rtt\na,b,10\nb,a,11.5\n",
  "a;b;c\n0;10;20\n10;0;30\n20;30;0\n",
  '# comment\n"site, one"\tb\n0\t1\n1\t0\n',
  "0 10\n10 0\n",
];
