/** A short run of the fuzzer, and that it would notice what it looks for. */
import { expect, it } from "vitest";
import { Draw } from "../support/draw.js";
import { fuzz } from "./run.js";
import { fuzzPorts } from "./run-ports.js";
import { TARGETS, type Target } from "./targets.js";

it("no reader crashes, hangs or keeps anything", () => {
  const { targets, failures } = fuzz(TARGETS, 20_261_124, 1_000 * TARGETS.length);
  expect(failures).toEqual([]);
  for (const { name, inputs, accepted } of targets) {
    // Some are taken and some are not: the inputs are neither all noise nor all harmless.
    expect([name, inputs, accepted > 0.01 * inputs && accepted < 0.9 * inputs]).toEqual([name, 1_000, true]);
  }
});

it("a configuration that cannot even be looked at is refused like any other", () => {
  const target = TARGETS.find(({ name }) => name === "configuration");
  expect(target?.once(new Draw(2_983_695_243))).toBe(false);
});

it("every port answers after whatever strangers send it", { timeout: 120_000 }, async () => {
  const { ports, failures } = await fuzzPorts(20_261_128, 96);
  expect(failures).toEqual([]);
  expect(ports.map(({ name, inputs }) => [name, inputs])).toEqual(
    [
      ...["broker", "relay", "beacon on uws", "room host on uws", "beacon on ws", "room host on ws"],
      "gateway",
    ].map((name) => [name, 96]),
  );
});

it("notices a crash and a leak, and draws a bad input again from its seed", () => {
  const kept: Uint8Array[] = [];
  const bad: Target[] = [
    {
      name: "crashes",
      expected: () => false,
      once: (draw) => {
        if (draw.unit() < 0.01) (undefined as unknown as { x: () => void }).x();
        return true;
      },
    },
    {
      name: "leaks",
      expected: () => false,
      once: () => kept.push(new Uint8Array(0), new Uint8Array(8_000)) > 0,
    },
  ];
  const { failures } = fuzz(bad, 1, 10_000);
  const crash = failures.find(({ name }) => name === "crashes");
  expect(crash?.problem).toMatch(/TypeError/);
  expect(() => bad[0]!.once(new Draw(crash!.seed))).toThrow(TypeError);
  expect(failures.some(({ name, problem }) => name === "leaks" && /memory grew/.test(problem))).toBe(true);
  expect(kept.length).toBeGreaterThan(0);
});
