#!/usr/bin/env bash
# @colyseus/auth 0.18.3: with a presence that answers asynchronously, as RedisPresence does, nobody can reset a password.
# POST /auth/reset-password asks presence.get() whether the token was used before, and takes the promise for a yes.
# Seen: the first use of a fresh token is "Password reset successfully!" with LocalPresence and "token_already_used" with
# RedisPresence; onResetPassword() is called once and not at all.
# Exits with 0 while this is so, with another status once it has changed. Needs redis-server on the PATH.
set -euo pipefail
folder=$(mktemp -d)
redis=
trap '[ -z "$redis" ] || kill "$redis"; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @colyseus/auth@0.18.3 @colyseus/core@0.18.17 @colyseus/redis-presence@0.18.5 @colyseus/ws-transport@0.18.4 @colyseus/schema@5.0.34 express@5.2.1 ws@8.23.0 zod@4.1.12 >/dev/null
redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' --appendonly no >redis.log &
redis=$!
until redis-cli -s "$folder/redis.sock" ping >/dev/null 2>&1; do sleep 0.1; done
cat >run.mjs <<'JS'
import { createServer } from "node:http";
import express from "express";
import { WebSocket } from "ws";

// Node 20 has no global WebSocket, and @colyseus/core reads it when it loads.
globalThis.WebSocket ??= WebSocket;
process.env.JWT_SECRET = "secret of this script";

const { LocalPresence, Server } = await import("@colyseus/core");
const { RedisPresence } = await import("@colyseus/redis-presence");
const { WebSocketTransport } = await import("@colyseus/ws-transport");
const { auth } = await import("@colyseus/auth");

const presence = process.argv[2] === "redis" ? new RedisPresence({ path: "redis.sock" }) : new LocalPresence();
let link;
let resets = 0;
auth.settings.onFindUserByEmail = async (email) => ({ email, password: "" });
auth.settings.onForgotPassword = async (_email, _html, resetLink) => void (link = resetLink);
auth.settings.onResetPassword = async () => {
  resets++;
  return true;
};
const app = express();
app.use(auth.prefix, auth.routes());
const http = createServer(app);
const server = new Server({ transport: new WebSocketTransport({ server: http }), presence, greet: false });
await server.listen(0);
const post = (path, body) =>
  fetch(`http://127.0.0.1:${http.address().port}/auth${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    redirect: "manual",
  });
await post("/forgot-password", { email: "ada@example.com" });
const token = new URL(link, "http://127.0.0.1").searchParams.get("token");
const answer = await post("/reset-password", { token, password: "correct horse battery" });
const told = new URL(answer.headers.get("location"), "http://127.0.0.1").searchParams;
console.log(`${process.argv[2]}: ${told.get("success") ?? told.get("error")}, ${resets} resets`);
process.exit(0);
JS
seen=$(for kind in local redis; do node run.mjs "$kind" 2>/dev/null | tail -n 1; done)
expected='local: Password reset successfully!, 1 resets
redis: token_already_used, 0 resets'
printf 'seen:\n%s\nexpected:\n%s\n' "$seen" "$expected"
[ "$seen" = "$expected" ]
