/** What was started is ended in reverse order, whatever fails on the way. */
import { DisposalStack } from "@centroid/protocol/node";
import { expect, it } from "vitest";

it("ends everything in reverse order, once, and reports all that failed", async () => {
  const ended: string[] = [];
  const stack = new DisposalStack();
  stack.use({ [Symbol.asyncDispose]: async () => void ended.push("first") });
  stack.defer(() => {
    ended.push("second");
    throw new Error("second failed");
  });
  stack.defer(async () => {
    ended.push("third");
    throw new Error("third failed");
  });
  const disposed = stack[Symbol.asyncDispose]();
  await expect(disposed).rejects.toMatchObject({
    errors: [{ message: "third failed" }, { message: "second failed" }],
  });
  expect(stack[Symbol.asyncDispose]()).toBe(disposed);
  expect(ended).toEqual(["third", "second", "first"]);
});

it("hands back what it is given", () => {
  const resource = { [Symbol.asyncDispose]: async () => undefined, port: 1 };
  expect(new DisposalStack().use(resource)).toBe(resource);
});
