/** The simulation page stands alone and holds what was simulated. */
import { parseRttMatrix, SimulationPage, simulate } from "@centroid/placement";
import { describe, expect, it } from "vitest";

/** Nodes on a line, 10 ms apart. */
const line = (nodes: number) =>
  parseRttMatrix(
    Array.from({ length: nodes }, (_, i) =>
      Array.from({ length: nodes }, (_, j) => 10 * Math.abs(i - j)).join(","),
    ).join("\n"),
  );

describe("the simulation page", () => {
  it("holds every policy's way and every move with its reason, and loads nothing", () => {
    const page = new SimulationPage();
    const options = { hosts: 6, rooms: 5, steps: 60, migrationCost: 100, noise: 0, seed: 3 };
    const report = simulate([line(30)], options, {}, page.add);
    const html = page.render(report);
    expect(html).not.toMatch(/https?:|src=|href=|@import/);
    const script = /<script>([\s\S]*)<\/script>/.exec(html)?.[1] ?? "";
    // Compiles, and its data is what was simulated.
    const data = new Function(`${script.slice(0, script.indexOf(";\nconst $"))}; return DATA;`)() as {
      policies: unknown;
      rooms: { paths: Record<string, [number, number][]>; moves: { step: number; text: string }[] }[];
    };
    expect(() => new Function(script)).not.toThrow();
    expect(data.policies).toEqual(report.policies);
    expect(data.rooms).toHaveLength(5);
    const own = report.policies.find(({ policy }) => policy === "centroid");
    const moves = data.rooms.flatMap((room) => room.moves);
    expect(moves.length).toBe((own?.migrations ?? 0) * 5);
    expect(moves.length).toBeGreaterThan(0);
    for (const room of data.rooms) {
      const turns = room.paths.centroid?.slice(1).map(([step]) => step);
      expect(turns).toEqual(room.moves.map(({ step }) => step));
      for (const { text } of room.moves) expect(text).toMatch(/regret|cap|load/);
    }
  });
});
