/** `centroid gateway`: players' sockets end here, for brokers elsewhere, until Ctrl-C. */
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { CentroidError, idSchema, printable } from "@centroid/protocol";
import { type Command, Option } from "commander";
import { fail, notice, print, printJson } from "../terminal/output.js";
import { untilStopped } from "../terminal/until-stopped.js";

interface GatewayFlags {
  broker: string;
  tokenFile?: string;
  gatewayId: string;
  bindHost: string;
  port: number;
  tlsCert?: string;
  tlsKey?: string;
  publicUrl?: string;
  trustProxy?: string;
  json?: boolean;
}

const DEFAULT_PORT = 2567;

/** Each flag can be given by environment, for units and containers. */
const option = (flags: string, about: string, env: string): Option => new Option(flags, about).env(env);

export function registerGateway(program: Command): void {
  program
    .command("gateway")
    .description("run a gateway on this machine: one public port for API, pages and all players' sockets")
    .addOption(
      option("--broker <urls>", "comma-separated broker URLs", "CENTROID_BROKERS").makeOptionMandatory(),
    )
    .addOption(
      option(
        "--token-file <file>",
        "file with the gateway token (or CENTROID_GATEWAY_TOKEN)",
        "CENTROID_TOKEN_FILE",
      ),
    )
    .addOption(
      option("--gateway-id <id>", "stable id of this gateway", "CENTROID_GATEWAY_ID").default(
        defaultId(),
        "this machine's name",
      ),
    )
    .addOption(
      option("--bind-host <address>", "address to listen on", "CENTROID_BIND_HOST").default("127.0.0.1"),
    )
    .addOption(
      option("--port <number>", "port for players; 0: any free port", "CENTROID_PORT")
        .argParser(Number)
        .default(DEFAULT_PORT),
    )
    .addOption(
      option(
        "--tls-cert <file>",
        "PEM certificate: serve HTTPS; reloaded when the file changes",
        "CENTROID_TLS_CERT",
      ),
    )
    .addOption(option("--tls-key <file>", "PEM key of --tls-cert", "CENTROID_TLS_KEY"))
    .addOption(
      option(
        "--public-url <url>",
        "URL at which players reach this gateway; players of other gateways are told of it",
        "CENTROID_PUBLIC_URL",
      ),
    )
    .addOption(
      option(
        "--trust-proxy <addresses>",
        "comma-separated proxies whose X-Forwarded-For header is trusted",
        "CENTROID_TRUST_PROXY",
      ),
    )
    .option("--json", "machine-readable output")
    .action(async (flags: GatewayFlags) => {
      const json = flags.json === true;
      const stop = untilStopped();
      try {
        const { startGateway } = await import("@centroid/gateway");
        await using gateway = await startGateway({
          gatewayId: idSchema.parse(flags.gatewayId),
          brokerUrls: flags.broker.split(",").map((url) => url.trim()),
          token: await gatewayToken(flags.tokenFile),
          bindHost: flags.bindHost,
          port: flags.port,
          tls: tlsFiles(flags),
          publicUrl: publicUrl(flags.publicUrl),
          trustProxy: flags.trustProxy?.split(","),
          notice: (line) => void (stop.aborted || notice(printable(line))),
        });
        const stopped = new Promise<void>((done) => {
          if (stop.aborted) done();
          stop.addEventListener("abort", () => done(), { once: true });
        });
        await Promise.race([gateway.ready, stopped]);
        if (json) printJson({ type: "started", url: gateway.url, gatewayId: flags.gatewayId });
        else print(`gateway ${gateway.url}`);
        await stopped;
        if (!json && gateway.size > 0) print(`stopping: ${gateway.size} connections end and are made anew`);
      } catch (cause) {
        if (!stop.aborted) fail(cause, json);
      }
    });
}

const defaultId = (): string =>
  hostname()
    .replaceAll(/[^A-Za-z0-9_.:-]/g, "-")
    .slice(0, 64) || "gateway";

/** @throws CentroidError CONFIG_INVALID for one without the other */
function tlsFiles({ tlsCert, tlsKey }: GatewayFlags): { certFile: string; keyFile: string } | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new CentroidError("CONFIG_INVALID", "TLS needs both --tls-cert and --tls-key");
  return { certFile: resolve(tlsCert), keyFile: resolve(tlsKey) };
}

/** @throws CentroidError CONFIG_INVALID */
function publicUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.search === "") return text;
  throw new CentroidError("CONFIG_INVALID", `--public-url: ${text} must look like https://play.example`);
}

async function gatewayToken(file: string | undefined): Promise<string> {
  if (file !== undefined)
    return (
      await readFile(file, "utf8").catch((cause: Error) => {
        throw new CentroidError("CONFIG_INVALID", `--token-file: ${cause.message}`, { cause });
      })
    ).trim();
  const given = process.env.CENTROID_GATEWAY_TOKEN;
  if (given !== undefined && given !== "") return given;
  throw new CentroidError(
    "CONFIG_INVALID",
    "no gateway token: pass --token-file FILE or set CENTROID_GATEWAY_TOKEN; the token is in the broker's state folder",
  );
}
