/**
 * What a room asked of the deployment in its `onCreate`, and what it was told. `onCreate` runs again wherever the room is
 * built again; there it is told the same, and brokers are not asked twice. Calls of rooms in the same process ask nobody.
 */
import { CentroidError, presenceReads, type RoomQuestion } from "@centroid/protocol";
import { z } from "zod";

/** Of one room: they travel with it, and are in each of its saves. */
const MAX_CHARACTERS = 256 * 1024;

export const firstAnswersSchema = z.array(
  z.object({ of: z.string(), answer: z.unknown().optional(), error: z.string().optional() }),
);
export type FirstAnswer = z.infer<typeof firstAnswersSchema>[number];

export class FirstAnswers {
  readonly #known: FirstAnswer[];
  readonly #toGive: FirstAnswer[];
  #characters = 0;
  #isOver = false;

  /** @param known of the room as it was built first; none if it is built for the first time */
  constructor(known: readonly FirstAnswer[] = []) {
    this.#known = [...known];
    this.#toGive = [...known];
  }

  /** For wherever the room is built next. */
  export(): FirstAnswer[] {
    return [...this.#known];
  }

  /** `onCreate` has returned: what the room asks from now on it asks once anyway. */
  over(): void {
    this.#isOver = true;
  }

  /** @throws what `ask` throws, or threw the first time */
  async answer(question: RoomQuestion, ask: (question: RoomQuestion) => Promise<unknown>): Promise<unknown> {
    const of = this.#isOver ? undefined : effectOf(question);
    if (of === undefined) return ask(question);
    const at = this.#toGive.findIndex((known) => known.of === of);
    const [before] = at < 0 ? [] : this.#toGive.splice(at, 1);
    if (before?.error !== undefined) throw new CentroidError("ROOM_ERROR", before.error);
    if (before !== undefined) return before.answer;
    try {
      const answer = await ask(question);
      this.#keep({ of, answer });
      return answer;
    } catch (cause) {
      this.#keep({ of, error: CentroidError.from(cause).message });
      throw cause;
    }
  }

  #keep(known: FirstAnswer): void {
    this.#characters += JSON.stringify(known).length;
    if (this.#characters <= MAX_CHARACTERS) this.#known.push(known);
  }
}

/** What is asked for, whatever the arguments, which may be drawn anew each time; nothing if it changes nothing. */
function effectOf(question: RoomQuestion): string | undefined {
  switch (question.method) {
    case "createRoom":
      return `create ${question.name}`;
    case "callRoom":
      return `call ${question.roomId} ${question.member}`;
    case "presence":
      return presenceReads(question.command)
        ? undefined
        : `presence ${question.command.name} ${question.command.key}`;
    case "rooms":
    case "travel":
      return undefined;
    default: {
      const never: never = question;
      throw new RangeError(`unhandled ${JSON.stringify(never)}`);
    }
  }
}
