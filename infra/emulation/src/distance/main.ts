/** Process entry of the emulator: takes its options over IPC, says its port, ends with its owner. */
import { Server } from "node:net";
import { CentroidError } from "@centroid/protocol";
import { type EmulatorMessage, ownerMessageSchema } from "./config.js";
import { EmulatorServer } from "./emulator-server.js";

if (!process.send) {
  process.stderr.write(
    "the distance emulator is started by startDistanceEmulator of @centroid/emulation, not by hand\n",
  );
  process.exit(2);
}

let emulator: EmulatorServer | undefined;
const tell = (message: EmulatorMessage) => process.send?.(message, undefined, undefined, () => undefined);

async function stop(): Promise<void> {
  process.off("message", onMessage);
  await emulator?.[Symbol.asyncDispose]();
  if (process.connected) process.disconnect();
}

async function onMessage(raw: unknown, listening?: unknown): Promise<void> {
  const message = ownerMessageSchema.parse(raw);
  switch (message.type) {
    case "start": {
      const starting = new EmulatorServer(message.options);
      try {
        const port = await starting.listen(listening instanceof Server ? listening : message.options.port);
        emulator = starting;
        tell({ type: "listening", port });
      } catch (cause) {
        const error = CentroidError.from(cause);
        tell({
          type: "failed",
          code: error.code === "PORT_IN_USE" ? "PORT_IN_USE" : "INTERNAL",
          message: error.message,
        });
        await stop();
      }
      break;
    }
    case "target":
      emulator?.distances.addTarget(message.target.hostId, message.target.port);
      break;
    default:
      message satisfies never;
  }
}

process.on("message", onMessage);
process.on("disconnect", () => void stop());
// These reach the whole group, from a terminal or a service manager: the owner decides when players' connections end.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
