/** Who may do what: reading is open on this machine and with either token, orders need the admin token. */
import { CentroidError, type Role } from "@centroid/protocol";
import { sameSecret } from "../players/player-tokens.js";

const LOOPBACK_PEERS = new Set(["127.0.0.1", "::1", "::ffff:127.0.0.1"]);
const LOOPBACK_NAMES = new Set(["127.0.0.1", "localhost", "[::1]"]);

export interface Caller {
  remoteAddress: string | undefined;
  headers: { authorization?: string | undefined; host?: string | undefined; origin?: string | undefined };
  /** Browsers cannot set headers on a WebSocket; they pass the token in the query. */
  queryToken?: string | undefined;
}

export interface Tokens {
  admin: string;
  viewer: string;
}

export class Guard {
  readonly #tokens: Tokens;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  /** The role of the token this caller shows; undefined if it shows none or one that is not known. */
  roleOf(caller: Caller): Role | undefined {
    const given = tokenOf(caller);
    if (given === undefined) return undefined;
    if (sameSecret(this.#tokens.admin, given)) return "admin";
    return sameSecret(this.#tokens.viewer, given) ? "viewer" : undefined;
  }

  /** @throws CentroidError UNAUTHORIZED without a known token, FORBIDDEN with one that only reads */
  admin(caller: Caller): void {
    switch (this.roleOf(caller)) {
      case "admin":
        return;
      case "viewer":
        throw new CentroidError("FORBIDDEN", "this token only reads; orders need the admin token");
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
  read(caller: Caller): Role {
    const role = this.roleOf(caller);
    if (role !== undefined) return role;
    const { remoteAddress, headers } = caller;
    const local = LOOPBACK_PEERS.has(remoteAddress ?? "") && LOOPBACK_NAMES.has(hostname(headers.host));
    const ownPage =
      headers.origin === undefined || hostname(authority(headers.origin)) === hostname(headers.host);
    if (local && ownPage) return "viewer";
    throw tokenOf(caller) === undefined
      ? new CentroidError("UNAUTHORIZED", "this needs a token, the viewer's or the admin's")
      : new CentroidError("UNAUTHORIZED", "wrong token");
  }
}

function tokenOf({ headers: { authorization }, queryToken }: Caller): string | undefined {
  return /^Bearer (.+)$/.exec(authorization ?? "")?.[1] ?? queryToken;
}

const hostname = (host = ""): string => host.replace(/:\d+$/, "");
const authority = (origin: string): string => origin.replace(/^[a-z]+:\/\//, "");
