/** A stock Colyseus player as a program of its own: talks, and writes what it hears as a JSON line ten times a second. */
import { Client } from "@colyseus/sdk";

const [url = ""] = process.argv.slice(2);
const room = await new Client(url).joinOrCreate("arena", { name: "stock" });
const { connection } = room;
const left = [];
let sent = 0;
let heard = 0;
let inOrder = true;
room.onLeave((code) => left.push(code));
room.onMessage("*", () => undefined);
room.onMessage("echo", ({ t }) => {
  inOrder &&= t === heard;
  heard++;
});
setInterval(() => room.send("echo", { t: sent++ }), 20);
setInterval(() => {
  const sameConnection = room.connection === connection;
  process.stdout.write(
    `${JSON.stringify({ roomId: room.roomId, sent, heard, inOrder, sameConnection, left })}\n`,
  );
}, 100);
process.on("SIGTERM", () => void room.leave().finally(() => process.exit(0)));
