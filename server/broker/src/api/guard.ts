/**
 * Who may do what: orders need the admin token; reading needs a token too, except for programs on this machine while
 * the broker listens there only.
 */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { CentroidError, type Role } from "@centroid/protocol";
import { sameSecret } from "../base/secrets.js";

const LOOPBACK_PEERS = new Set(["127.0.0.1", "::1", "::ffff:127.0.0.1"]);
const LOOPBACK_NAMES = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** An address or name that only programs of this machine can reach. */
export const isLoopback = (host: string): boolean =>
  LOOPBACK_PEERS.has(host) || LOOPBACK_NAMES.has(host) || /^127\.\d+\.\d+\.\d+$/.test(host);

/** Headers by which a proxy says that it asks for somebody else (RFC 7239, RFC 9110 7.6.3, and what came before). */
const FORWARDING = /^(forwarded|via|x-real-ip|x-forwarded(-.+)?|x-original-.+|(.+-)?(client|connecting)-ip)$/;
/** Subprotocol of `/events`. */
export const EVENTS_PROTOCOL = "centroid.events";
/** Browsers cannot set headers on a WebSocket: they offer the token, base64url, as a second subprotocol. */
const TOKEN_PROTOCOL = "centroid.token.";

export interface ApiCaller {
  remoteAddress: string | undefined;
  headers: IncomingHttpHeaders;
  /** Of HTTP: proxies that say nothing of themselves still speak 1.0 to the program behind them. */
  httpVersion: string;
}

/** Who sent this request. */
export const callerOf = ({ socket, headers, httpVersion }: IncomingMessage): ApiCaller => ({
  remoteAddress: socket.remoteAddress,
  headers,
  httpVersion,
});

export interface Tokens {
  admin: string;
  viewer: string;
}

export class Guard {
  readonly #tokens: Tokens;
  readonly #openReads: boolean;

  /** @param openReads programs on this machine read without a token */
  constructor(tokens: Tokens, openReads: boolean) {
    this.#tokens = tokens;
    this.#openReads = openReads;
  }

  /** The role of the token this caller shows; undefined if it shows none or one that is not known. */
  roleOf(caller: ApiCaller): Role | undefined {
    const given = tokenOf(caller);
    if (given === undefined) return undefined;
    if (sameSecret(this.#tokens.admin, given)) return "admin";
    return sameSecret(this.#tokens.viewer, given) ? "viewer" : undefined;
  }

  /** @throws CentroidError UNAUTHORIZED without a known token, FORBIDDEN with one that only reads */
  admin(caller: ApiCaller): void {
    switch (this.roleOf(caller)) {
      case "admin":
        return;
      case "viewer":
        throw new CentroidError("FORBIDDEN", "this token can only read; orders need the admin token");
      default:
        throw tokenOf(caller) === undefined
          ? new CentroidError("UNAUTHORIZED", "this needs the admin token: Authorization: Bearer TOKEN")
          : new CentroidError("UNAUTHORIZED", "wrong token");
    }
  }

  /**
   * Open for programs on this machine and for pages that this broker serves itself; a foreign web page open in a
   * browser here is neither, whatever name it gives our address.
   * @returns the role: of the token if one is shown, else `viewer`
   * @throws CentroidError UNAUTHORIZED
   */
  read(caller: ApiCaller): Role {
    const role = this.roleOf(caller);
    if (role !== undefined) return role;
    if (this.#openReads && isLocal(caller)) return "viewer";
    throw tokenOf(caller) === undefined
      ? new CentroidError("UNAUTHORIZED", "this needs the viewer or admin token: Authorization: Bearer TOKEN")
      : new CentroidError("UNAUTHORIZED", "wrong token");
  }
}

/** A program on this machine that speaks for itself, not for a page of elsewhere that gave our address a name. */
function isLocal({ remoteAddress, headers, httpVersion }: ApiCaller): boolean {
  if (!LOOPBACK_PEERS.has(remoteAddress ?? "") || !LOOPBACK_NAMES.has(hostname(headers.host))) return false;
  if (httpVersion === "1.0" || Object.keys(headers).some((name) => FORWARDING.test(name))) return false;
  return headers.origin === undefined || hostname(authority(headers.origin)) === hostname(headers.host);
}

function tokenOf({ headers }: ApiCaller): string | undefined {
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];
  if (bearer !== undefined) return bearer;
  const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  const coded = offered.find((name) => name.startsWith(TOKEN_PROTOCOL));
  return coded && Buffer.from(coded.slice(TOKEN_PROTOCOL.length), "base64url").toString();
}

const hostname = (host = ""): string => host.replace(/:\d+$/, "");
const authority = (origin: string): string => origin.replace(/^[a-z]+:\/\//, "");
