/** Sends a picture ten times a second and prints what the room sees in it, wherever the room is. */
import { readFile } from "node:fs/promises";
import { CentroidClient } from "@centroid/sdk";

const client = new CentroidClient(process.env.CENTROID_BROKER ?? "http://127.0.0.1:2567", { network: "me" });
const room = await client.joinOrCreate("vision");
console.log(`joined ${room.roomId} in ${room.host.name}`);
room.onMigrate(({ to, lost, duplicated }) =>
  console.log(`moved to ${to.name}, lost ${lost}, doubled ${duplicated}`),
);

const picture = new Uint8Array(await readFile(process.argv[2] ?? new URL("faces.jpg", import.meta.url)));
for (let n = 1; ; n++) {
  const sentMs = performance.now();
  const { found, workMs } = await room.request("see", picture);
  const tookMs = performance.now() - sentMs;
  if (n % 5 === 0)
    console.log(
      `picture ${n}: ${found.length} faces after ${tookMs.toFixed(0)} ms, ${workMs.toFixed(0)} of them work`,
    );
  await new Promise((next) => setTimeout(next, Math.max(0, 100 - tookMs)));
}
