/** Worker process: runs some of the players and tells the parent what they saw, every second. */
import { setMaxListeners } from "node:events";
import { Tally } from "../measure/tally.js";
import { Bot } from "../player/bot.js";
import { JoinQueue } from "../player/join-queue.js";
import { RoomGroup } from "../player/room-group.js";
import { loadWorld } from "../world/world.js";
import { type StartWorker, type ToParent, toWorkerSchema } from "./messages.js";

const REPORT_INTERVAL_MS = 1_000;
/** Four processes stay below the seats that a broker lets one address hold untaken. */
const JOINS_AT_ONCE = 48;

const stop = new AbortController();
// Each player waits on it.
setMaxListeners(0, stop.signal);
const tell = (message: ToParent) => {
  // A parent that was killed cannot hear this; that is no reason to complain on its terminal.
  if (process.connected) process.send?.(message, () => undefined);
};

async function run(start: StartWorker): Promise<void> {
  const tally = new Tally();
  const world = loadWorld();
  const groups = new Map<number, RoomGroup>();
  const joins = new JoinQueue(JOINS_AT_ONCE);
  const startedAtMs = performance.now();
  const bots = start.plans.map((plan, i) => {
    const group = groups.get(plan.group) ?? new RoomGroup(start.roomType);
    groups.set(plan.group, group);
    return new Bot({
      plan,
      group,
      joins,
      roomType: start.roomType,
      brokerUrl: start.brokerUrl,
      emulatorControlUrl: start.emulatorControlUrl,
      inputsPerSecond: start.inputsPerSecond,
      seed: start.seed + i,
      startedAtMs,
      world,
      tally,
    });
  });
  const timer = setInterval(() => tell({ type: "tally", tally: tally.take() }), REPORT_INTERVAL_MS);
  await Promise.all(bots.map((bot) => bot.run(stop.signal)));
  clearInterval(timer);
  tell({ type: "done", tally: tally.take() });
  process.disconnect?.();
}

process.on("message", (raw) => {
  const message = toWorkerSchema.parse(raw);
  switch (message.type) {
    case "start":
      void run(message);
      break;
    case "stop":
      stop.abort();
      break;
    default:
      message satisfies never;
  }
});
// Ctrl-C reaches the whole group: the parent decides, so that the books are closed first.
process.on("SIGINT", () => undefined);
process.on("disconnect", () => process.exit(0));
