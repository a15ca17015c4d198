import { CentroidClient } from "@centroid/sdk";

const client = new CentroidClient("http://127.0.0.1:2567", { network: "me" });
const room = await client.joinOrCreate("duel");
console.log(`joined ${room.roomId} in ${room.host.name}`);

setInterval(() => room.send("walk", 1), 50);
room.onStats(({ pingMs }) => console.log(`${room.host.name}: ${pingMs.toFixed(0)} ms`));
room.onMigrate(({ from, to, freezeMs, lost }) => {
  console.log(`moved from ${from.name} to ${to.name}, froze ${freezeMs.toFixed(1)} ms, lost ${lost}`);
  console.log(`still at ${room.state.players.get(room.sessionId).x}`);
});
