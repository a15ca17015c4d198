/** Moves a player's end of the emulated network to another city. */
import { z } from "zod";

const answerSchema = z.object({ error: z.string() });

/**
 * @param relayControlUrl base of the relay's control API
 * @throws Error with the relay's reason
 */
export async function setSite(
  relayControlUrl: string,
  label: string,
  siteId: string,
  signal: AbortSignal,
): Promise<void> {
  const response = await fetch(`${relayControlUrl}/labels`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ label, siteId }),
    signal,
  });
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return;
  const answer = answerSchema.safeParse(body);
  throw new Error(answer.success ? answer.data.error : `the relay answered ${response.status}`);
}
