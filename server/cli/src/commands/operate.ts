/** The operator's commands: what runs where, why, and moving it. */
import {
  controlRoutes,
  type Decision,
  type MoveRequest,
  orderedMechanismSchema,
  printableValues,
} from "@centroid/protocol";
import { type Command, Option } from "commander";
import { BrokerClient, type BrokerFlags, withBroker } from "../control/broker-client.js";
import { parseDuration } from "../terminal/duration.js";
import { EventLines } from "../terminal/event-lines.js";
import { color, fail, json, ms, print, printJson, table } from "../terminal/output.js";
import { untilStopped } from "../terminal/until-stopped.js";

/** Runs an action, prints JSON or text, turns errors into one line and an exit code. */
async function run<T>(
  flags: BrokerFlags,
  ask: (broker: BrokerClient) => Promise<T>,
  show: (answer: T) => string,
): Promise<void> {
  try {
    const answer = await ask(new BrokerClient(flags));
    if (flags.json === true) printJson(answer);
    else print(show(printableValues(answer)));
  } catch (cause) {
    fail(cause, flags.json === true);
  }
}

export function registerOperate(program: Command): void {
  withBroker(
    program.command("rooms").description("list rooms, their hosts and their players' round-trip times"),
  ).action((flags: BrokerFlags) =>
    run(
      flags,
      (broker) => broker.call(controlRoutes.rooms, {}),
      (rooms) =>
        table(
          ["ROOM", "TYPE", "HOST", "STATE", "PLAYERS", "MEAN RTT", "MOVES"],
          rooms.map((room) => [
            room.roomId,
            room.name,
            room.hostId,
            room.state,
            String(room.players),
            ms(room.meanRttMs),
            String(room.migrations),
          ]),
        ),
    ),
  );
  withBroker(program.command("hosts").description("list edge hosts with their state and load")).action(
    (flags: BrokerFlags) =>
      run(
        flags,
        (broker) => broker.call(controlRoutes.hosts, {}),
        (hosts) =>
          table(
            ["HOST", "LOCATION", "STATE", "ROOMS", "PLAYERS", "LOAD", "MEMORY"],
            hosts.map((host) => [
              host.hostId,
              host.name,
              host.state,
              `${host.rooms}/${host.capacityRooms}`,
              String(host.players),
              `${Math.round(host.load * 100)} %`,
              `${Math.round(host.rssBytes / 1_048_576)} MB`,
            ]),
          ),
      ),
  );
  withBroker(program.command("move <room> <host>").description("move a room to a host now"))
    .addOption(
      new Option(
        "--mechanism <how>",
        "for rooms in virtual machines and containers (default: the cheapest by prediction)",
      ).choices(orderedMechanismSchema.options),
    )
    .action(
      (roomId: string, hostId: string, { mechanism, ...flags }: BrokerFlags & Omit<MoveRequest, "hostId">) =>
        run(
          flags,
          (broker) =>
            broker.call(controlRoutes.move, {
              params: { roomId },
              body: { hostId, ...(mechanism && { mechanism }) },
            }),
          (receipt) =>
            `${receipt.roomId}: ${receipt.fromHostId} → ${receipt.toHostId} in ${ms(receipt.totalMs)}, ` +
            `froze ${ms(receipt.freezeBeyondTickMs?.p99, 1)}, ${receipt.messagesLost} lost, ${receipt.messagesDuplicated} duplicated`,
        ),
    );
  withBroker(
    program
      .command("drain <host>")
      .description("move every room off a host and place no new ones there")
      .option("--deadline <time>", "time until the host should be empty, such as 30s or 2m", parseDuration),
  ).action((hostId: string, { deadline, ...flags }: BrokerFlags & { deadline?: number }) =>
    run(
      flags,
      (broker) =>
        broker.call(controlRoutes.drain, {
          params: { hostId },
          query: deadline === undefined ? {} : { withinMs: deadline },
        }),
      (host) => `${host.name} is ${host.state}`,
    ),
  );
  withBroker(program.command("activate <host>").description("let a drained host take rooms again")).action(
    (hostId: string, flags: BrokerFlags) =>
      run(
        flags,
        (broker) => broker.call(controlRoutes.activate, { params: { hostId } }),
        (host) => `${host.name} is ${host.state}`,
      ),
  );
  for (const action of ["lock", "unlock"] as const) {
    const about =
      action === "lock" ? "admit no new players to a room" : "admit players to a locked room again";
    withBroker(program.command(`${action} <room>`).description(about)).action(
      (roomId: string, flags: BrokerFlags) =>
        run(
          flags,
          (broker) => broker.call(controlRoutes[action], { params: { roomId } }),
          ({ locked }) => `${roomId} is ${locked ? "locked" : "open"}`,
        ),
    );
  }
  withBroker(
    program
      .command("audit")
      .description("show who gave which order, newest first")
      .option("--limit <number>", "number of entries", "50"),
  ).action(({ limit, ...flags }: BrokerFlags & { limit: string }) =>
    run(
      flags,
      (broker) => broker.call(controlRoutes.audit, { query: { limit: Number(limit) } }),
      (entries) =>
        table(
          ["WHEN", "WHO", "FROM", "ACTION", "TARGET", "OUTCOME"],
          entries.map(({ atMs, who, action, roomId, hostId, sessionId, outcome, code }) => [
            new Date(atMs).toISOString(),
            who.name ?? who.role,
            who.address,
            action,
            [roomId, hostId, sessionId].filter((part) => part !== undefined).join(" "),
            code === undefined ? outcome : `${outcome}: ${code}`,
          ]),
        ),
    ),
  );
  withBroker(
    program.command("why <room>").description("show the last decision about a room, with every candidate"),
  ).action((roomId: string, flags: BrokerFlags) =>
    run(
      flags,
      async (broker) => {
        const decisions = await broker.call(controlRoutes.decisions, { params: { roomId } });
        return decisions[0] ?? null;
      },
      (decision) =>
        decision === null
          ? "no decision about this room yet"
          : [
              `${color.bold(decision.verdict)} (${decision.reason}): ${decision.text}`,
              `regret ${decision.regret.toFixed(1)} of ${decision.threshold.toFixed(1)}`,
              "",
              table(
                [
                  "HOST",
                  "J",
                  "MEAN",
                  "WORST",
                  ...worked(decision, ["WORK"]),
                  ...tied(decision, ["TO ROOMS"]),
                  "LOAD",
                  "KNOWN BY",
                  "NOT TAKEN BECAUSE",
                ],
                decision.candidates.map((candidate) => [
                  candidate.hostId,
                  ms(candidate.scoreMs, 1),
                  ms(candidate.meanMs, 1),
                  ms(candidate.maxMs, 1),
                  ...worked(decision, [ms(candidate.workMs ?? 0, 1)]),
                  ...tied(decision, [ms(candidate.tieMs ?? 0, 1)]),
                  `${Math.round(candidate.load * 100)} %`,
                  candidate.source,
                  candidate.rejected ?? "",
                ]),
              ),
              ...waysTable(decision),
            ].join("\n"),
    ),
  );
  withBroker(program.command("watch").description("print events as they happen, one per line")).action(
    async (flags: BrokerFlags) => {
      const asJson = flags.json === true;
      try {
        const lines = new EventLines();
        for await (const event of new BrokerClient(flags).events(untilStopped())) {
          const line = asJson ? json(event) : lines.line(printableValues(event));
          if (line !== undefined) print(line);
        }
      } catch (cause) {
        fail(cause, asJson);
      }
    },
  );
}

/** How the players reach the room. */
function waysTable({ ways = [] }: Decision): string[] {
  if (ways.length === 0) return [];
  const rows = ways.map(({ gatewayId, players, toGatewayMs, onwardMs, because }) => [
    gatewayId ?? "direct",
    String(players),
    ms(toGatewayMs, 1),
    ms(onwardMs, 1),
    because,
  ]);
  return ["", table(["BY", "PLAYERS", "TO IT", "ON TO HOST", "BECAUSE"], rows)];
}

/** Cells of rooms that compute. */
const worked = <T>({ candidates }: Decision, cells: readonly T[]): readonly T[] =>
  candidates.some(({ workMs }) => workMs !== undefined) ? cells : [];

/** Cells of rooms that talk with others. */
const tied = <T>({ candidates }: Decision, cells: readonly T[]): readonly T[] =>
  candidates.some(({ tieMs }) => tieMs !== undefined) ? cells : [];
