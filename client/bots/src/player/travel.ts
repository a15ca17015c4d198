/** Moves a player's end of the emulated network to another city. */
import { z } from "zod";

const answerSchema = z.object({ error: z.string() });

/**
 * @param emulatorControlUrl base of the distance emulator's control API
 * @throws Error with the emulator's reason
 */
export async function setSite(
  emulatorControlUrl: string,
  label: string,
  siteId: string,
  signal: AbortSignal,
): Promise<void> {
  const response = await fetch(`${emulatorControlUrl}/labels`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ label, siteId }),
    signal,
  });
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return;
  const answer = answerSchema.safeParse(body);
  throw new Error(answer.success ? answer.data.error : `the distance emulator answered ${response.status}`);
}
