/** Passes on what a child process asks of the whole deployment, and gives it the answer. */
import type { ChildProcess } from "node:child_process";
import { CentroidError, type RoomQuestion } from "@centroid/protocol";

export function answerQuestion(
  child: ChildProcess,
  { requestId, question }: { requestId: number; question: RoomQuestion },
  ask: (question: RoomQuestion) => Promise<unknown>,
): void {
  const answer = (answered: object): void =>
    void child.send({ answered: { type: "answered", requestId, ...answered } }, () => undefined);
  ask(question).then(
    (result) => answer({ result }),
    (cause: unknown) => answer({ error: CentroidError.from(cause).toWire() }),
  );
}
