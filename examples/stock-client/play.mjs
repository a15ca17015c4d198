/** A player with nothing of Centroid: it joins through the broker, and reconnects there. */
import { Client } from "@colyseus/sdk";

const client = new Client(process.env.CENTROID_BROKER ?? "http://127.0.0.1:2567");
let room = await client.joinOrCreate("counter");
console.log(`joined ${room.roomId}`);
follow();
setInterval(() => {
  if (room.connection.isOpen) room.send("count");
}, 100);
setInterval(() => console.log(`counted to ${room.state.count}`), 1_000);

function follow() {
  // Its own retry dials the old address; the broker knows the new one.
  room.reconnection.enabled = false;
  room.onLeave(async () => {
    const { reconnectionToken } = room;
    for (let tries = 0; tries < 60; tries++) {
      try {
        room = await client.reconnect(reconnectionToken);
        console.log("reconnected");
        return follow();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
    console.log("the room is gone");
    process.exit(1);
  });
}
