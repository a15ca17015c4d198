// Keeps a secret in the Redis at the address given and says it: a process of its own, because whom it trusts is set at its start.
import { connectRedis, RedisStore } from "@centroid/broker";
import { pino } from "pino";

const redis = await connectRedis(process.argv[2], pino({ level: "silent" })).catch((error) => {
  process.stdout.write(error.message);
  process.exit(1);
});
process.stdout.write(await new RedisStore(redis).secret("word", () => "kept"));
await redis.destroy();
