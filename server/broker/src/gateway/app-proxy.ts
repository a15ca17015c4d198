/**
 * HTTP requests for the routes of a Colyseus project: an agent serves them beside its rooms, and they are passed on to it.
 * Always to the same host while it is there, so that what a project keeps in memory is one; if it goes, to another.
 */
import { Agent, type IncomingMessage, request, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { endToEnd, OF_ORIGIN } from "@centroid/protocol/node";
import type { HostRegistry } from "../hosts/host-registry.js";

export interface Asking {
  /** Who really asks. */
  address: string;
  /** `https` if players reach this broker so. */
  scheme: string;
}

export class AppProxy implements Disposable {
  readonly #hosts: HostRegistry;
  readonly #agent = new Agent({ keepAlive: true });
  #hostId: string | undefined;

  constructor(hosts: HostRegistry) {
    this.#hosts = hosts;
  }

  pass(incoming: IncomingMessage, outgoing: ServerResponse, asking: Asking): void {
    const address = this.#address();
    if (address === undefined) {
      refuse(outgoing, 503, "no host serves the project's routes just now; try again shortly");
      return;
    }
    const { hostname, port } = new URL(`http://${address}`);
    const upstream = request({
      agent: this.#agent,
      host: hostname.replace(/^\[|\]$/g, ""),
      port,
      method: incoming.method,
      path: incoming.url,
      headers: headersFor(incoming, asking),
      setHost: false,
    });
    const fail = (): void => {
      if (outgoing.headersSent) outgoing.destroy();
      else refuse(outgoing, 502, "the project's server has not answered");
    };
    upstream.on("response", (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer.rawHeaders));
      pipeline(answer, outgoing, () => undefined);
    });
    upstream.on("error", fail);
    outgoing.on("close", () => {
      if (!outgoing.writableFinished) upstream.destroy();
    });
    incoming.pipe(upstream);
  }

  #address(): string | undefined {
    const last = this.#hostId === undefined ? undefined : this.#hosts.get(this.#hostId);
    if (last?.peer !== undefined && last.app !== undefined) return last.app;
    const [next] = [...this.#hosts.values()]
      .filter(({ peer, app }) => peer !== undefined && app !== undefined)
      .sort((a, b) => (a.facts.hostId < b.facts.hostId ? -1 : 1));
    this.#hostId = next?.facts.hostId;
    return next?.app;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function headersFor({ rawHeaders }: IncomingMessage, { address, scheme }: Asking): string[] {
  const kept = endToEnd(rawHeaders, OF_ORIGIN);
  return [...kept, "X-Forwarded-For", address, ...(has(kept) ? [] : ["X-Forwarded-Proto", scheme])];
}

const has = (headers: readonly string[]): boolean =>
  headers.some((name, at) => at % 2 === 0 && name.toLowerCase() === "x-forwarded-proto");

function refuse(outgoing: ServerResponse, status: number, message: string): void {
  const body = JSON.stringify({ error: { code: "HOST_LOST", message } });
  outgoing.writeHead(status, { "content-type": "application/json", "retry-after": "1" }).end(body);
}
