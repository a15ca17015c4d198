/** Where is the guest, and what must not run: the verdict over everything two hosts can answer. */
import { type GuestView, judge } from "@centroid/vm-carrier";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const views: readonly GuestView[] = ["absent", "running", "paused", "moving", "split", "unreachable"];
const anyView = fc.constantFrom(...views);

/** What a host holds once the verdict has been carried out. */
function carriedOut(view: GuestView, actions: readonly string[]): GuestView {
  return actions.reduce<GuestView>((now, action) => {
    if (action === "destroy") return "absent";
    return now === "paused" ? "running" : now;
  }, view);
}

describe("verdict over both hosts' views", () => {
  it("never leaves two copies running, nor destroys the owner", () => {
    fc.assert(
      fc.property(anyView, anyView, fc.boolean(), (source, destination, switched) => {
        const { owner, actions } = judge(source, destination, switched);
        const of = (side: string) => actions.filter((it) => it.side === side).map((it) => it.action);
        const left = {
          source: carriedOut(source, of("source")),
          destination: carriedOut(destination, of("destination")),
        };
        if (owner === "unknown") {
          expect(actions).toEqual([]);
          return;
        }
        const running = Object.values(left).filter((view) => view === "running");
        if (owner === "none") {
          expect(Object.values(left).every((view) => view === "absent" || view === "unreachable")).toBe(true);
        } else {
          expect(left[owner]).toBe("running");
          expect(running).toHaveLength(1);
        }
      }),
    );
  });

  it("removes the other copy before it lets a paused one run", () => {
    expect(judge("paused", "paused", false)).toEqual({
      owner: "source",
      actions: [
        { side: "destination", action: "destroy" },
        { side: "source", action: "resume" },
      ],
    });
  });

  it("keeps a source that runs, whatever the destination says, before post-copy", () => {
    for (const destination of views) expect(judge("running", destination, false).owner).toBe("source");
  });

  it("does not resume a paused source while the destination may be running unseen", () => {
    expect(judge("paused", "unreachable", false)).toEqual({ owner: "unknown", actions: [] });
  });

  it("gives a guest up whose memory was in two places when post-copy failed", () => {
    const verdict = judge("split", "split", true);
    expect(verdict.owner).toBe("none");
    expect(verdict.actions).toHaveLength(2);
  });
});
