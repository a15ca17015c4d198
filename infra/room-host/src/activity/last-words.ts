/** What a room host told its agent when it ended or hung, as the agent reads it. */
import { z } from "zod";

export const lastWordsSchema = z.object({
  how: z.enum(["hung", "exited"]),
  roomId: z.string().optional(),
  /** Type of the message that it was handling, or part of the simulation. */
  what: z.string().max(200).optional(),
  sessionId: z.string().max(200).optional(),
});
export type LastWords = z.infer<typeof lastWordsSchema>;

/** The words in what was read from the pipe; the last line counts. */
export function parseLastWords(text: string): LastWords | undefined {
  const line = text.trimEnd().split("\n").at(-1);
  if (line === undefined || line === "") return undefined;
  try {
    return lastWordsSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
