/** `centroid up`: broker and edge agents on this machine, until Ctrl-C. */
import { printable } from "@centroid/protocol";
import type { Command } from "commander";
import { loadConfig } from "../config/config.js";
import { farewell } from "../deployment/farewell.js";
import { color, fail, notice, print } from "../terminal/output.js";
import { showEvents } from "../terminal/show-events.js";
import { untilStopped } from "../terminal/until-stopped.js";

interface UpFlags {
  rooms?: string;
  app?: string;
  page?: string;
  port?: number;
  bindHost?: string;
  advertiseHost?: string;
  hosts?: number;
  emulate?: boolean;
  carrier?: string;
  isolation?: string;
  viewerToken?: string;
  requireReadToken?: boolean;
  publicUrl?: string;
  tlsCert?: string;
  tlsKey?: string;
  trustProxy?: string;
  limits?: boolean;
  checkpointMs?: number;
  keepRooms?: boolean;
  roomEnv?: string[];
  redis?: string;
  clusterUrl?: string;
  trace?: string;
  stateDir?: string;
  logLevel?: string;
  config?: string;
  json?: boolean;
}

export function registerUp(program: Command): void {
  program
    .command("up")
    .description("run a broker and edge agents on this machine")
    .option("--rooms <dir>", "folder of room files (default: the demo's rooms)")
    .option("--app <file>", "in place of --rooms: file that exports a Colyseus project's server")
    .option("--page <dir>", "folder with your built web page, served at /play/ (default: the demo's game)")
    .option("--port <number>", "port of the broker (default 2567; 0: any free port)", Number)
    .option("--bind-host <address>", "address to listen on (default 127.0.0.1)")
    .option("--advertise-host <name>", "name or address players use to reach this machine")
    .option("--hosts <number>", "number of edge agents, in cities of the demo world (default 6)", Number)
    .option("--emulate", "delay traffic by the demo world's measured round trips")
    .option("--carrier <kind>", "what rooms run in: process, vm or container (default process)")
    .option("--isolation <kind>", "processes of each host: shared, core or room (default shared)")
    .option("--viewer-token <token>", "read-only token (default: generated at the first start)")
    .option("--require-read-token", "require a token for reading, even from this machine")
    .option("--public-url <url>", "https:// origin players use, for API, pages and all sockets")
    .option("--tls-cert <file>", "PEM certificate: serve HTTPS; reloaded when the file changes")
    .option("--tls-key <file>", "PEM key of --tls-cert")
    .option("--trust-proxy <addresses>", "comma-separated proxies whose X-Forwarded-For header is trusted")
    .option("--no-limits", "lift the limits per address and player (for load tests)")
    .option(
      "--checkpoint-ms <number>",
      "interval between saves of a changing room (default 1000; 0: never)",
      Number,
    )
    .option("--keep-rooms", "keep rooms for the next start (default: only with --redis)")
    .option(
      "--room-env <names>",
      "comma-separated environment variables that rooms may see",
      (names: string) => names.split(",").map((name) => name.trim()),
    )
    .option(
      "--redis <url>",
      "store shared by several brokers: redis://host:port, redis+sentinel://h1,h2/name or redis+cluster://h1,h2",
    )
    .option("--cluster-url <url>", "URL other brokers use to reach this one")
    .option("--trace <file>", "record the inputs and decisions of placement, for centroid replay")
    .option("--state-dir <dir>", "folder for tokens, the store and the log")
    .option("--log-level <level>", "what the broker's log gets: debug, info, warn or error (default info)")
    .option("--config <file>", "configuration file (default: ./centroid.config.ts)")
    .option("--json", "print events as JSON lines")
    .action(async ({ json: asJson = false, config: file, limits, ...rest }: UpFlags) => {
      // The flag that is not there says true, and so would hide what environment and file say.
      const flags = limits === false ? { ...rest, limits } : rest;
      const stop = untilStopped();
      try {
        const config = await loadConfig(flags, file === undefined ? {} : { file });
        // The broker's parts take as long to load as all the rest; other commands need none of them.
        const { startDeployment } = await import("../deployment/deployment.js");
        await using deployment = await startDeployment(config, {
          // What ends because everything ends is no news.
          notice: (line) => void (stop.aborted || notice(printable(line))),
          signal: stop,
        });
        const { broker, roomTypes, adminToken, tokenIsFresh } = deployment;
        if (asJson) print(JSON.stringify({ type: "started", url: broker.url, roomTypes }));
        else {
          const rooms = roomTypes.length > 0 ? `rooms: ${roomTypes.join(", ")}` : "no hosts of its own";
          print(`${color.bold("centroid")} ${broker.url}   ${color.dim(rooms)}`);
          if (config.emulate) print(color.dim("distances between players and hosts are emulated"));
          if (tokenIsFresh)
            print(
              `admin token ${adminToken} ${color.dim("(kept for this user, shown once)")}\n` +
                `viewer token ${broker.viewerToken} ${color.dim("(reads, orders nothing)")}`,
            );
        }
        await showEvents(broker, asJson, stop);
        print(farewell(deployment, asJson));
      } catch (cause) {
        if (!stop.aborted) fail(cause, asJson);
      }
    });
}
