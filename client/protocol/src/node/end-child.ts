/** Ends a forked process in the one way all of ours end: its channel closes, and it is killed if it has not gone in time. */
import type { ChildProcess } from "node:child_process";

/** Resolves when the process has ended. @param timeoutMs after which it is killed */
export async function endChild(child: ChildProcess, timeoutMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  if (child.connected) child.disconnect();
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  await exited;
  clearTimeout(timer);
}
