/**
 * What browsers may do with what this port serves. The dashboard takes orders with the admin token and shares its
 * origin with game pages: nothing of elsewhere runs in it, and nobody frames it. Game pages set their own policy.
 */
import { readdirSync } from "node:fs";
import type { FastifyInstance } from "fastify";

/** The dashboard's own; `style-src` because its map places things by style attributes. */
const STRICT = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "connect-src 'self'",
  "font-src 'self' data:",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");
/** Scripts and pictures that pages share. */
const SHARED = "assets";

/** @param pagesDir built pages, one folder each */
export function pagePolicy(app: FastifyInstance, pagesDir: string | undefined): void {
  const games = new Set(["play", ...(pagesDir === undefined ? [] : folders(pagesDir))]);
  app.addHook("onRequest", ({ url }, reply, done) => {
    // A URL may be somebody's secret, and is no business of the next page's server.
    reply.header("referrer-policy", "no-referrer").header("x-content-type-options", "nosniff");
    if (!games.has(/^\/([^/?]+)/.exec(url)?.[1] ?? ""))
      reply
        .header("content-security-policy", STRICT)
        .header("x-frame-options", "DENY")
        .header("cross-origin-opener-policy", "same-origin");
    done();
  });
}

function folders(dir: string): string[] {
  const entries = readdirSync(dir, { withFileTypes: true });
  return entries.flatMap((entry) => (entry.isDirectory() && entry.name !== SHARED ? [entry.name] : []));
}
