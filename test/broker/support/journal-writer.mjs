// A broker's process that writes a phase again and again with the token it had at its start, as one would that was
// stopped between asking who decides and writing. Says what became of each write.
import { connectRedis, RedisCluster, RedisStore } from "@centroid/broker";
import { pino } from "pino";

const [url, prefix, roomId] = process.argv.slice(2);
const logger = pino({ level: "silent" });
const cluster = await RedisCluster.connect({ url, prefix, logger });
const ignore = () => undefined;
await cluster.join(
  { brokerId: "stopped", url: "http://stopped" },
  { acquired: ignore, released: ignore, message: ignore },
);
while (!cluster.owns(roomId)) await new Promise((resolve) => setTimeout(resolve, 10));
const token = cluster.tokenOf(roomId);
const store = new RedisStore(await connectRedis(url, logger), prefix, { tokenOf: () => token });
const move = { migrationId: "m", roomId, fromHostId: "a", toHostId: "b", toEpoch: 2 };
for (;;) {
  await store.journal({ ...move, reason: "latency", phase: "copying", startedAtMs: 1 }).then(
    () => process.send("written"),
    (error) => process.send(error.code),
  );
  await new Promise((resolve) => setTimeout(resolve, 10));
}
