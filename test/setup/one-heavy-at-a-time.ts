/**
 * The order of test files: one worker goes through those that start whole deployments or browsers, the others meanwhile
 * through all the rest, which mostly wait. Two heavy files side by side run into their limits.
 */
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Heavy files, and about how many seconds each takes; the longest first, so that none is left alone at the end. */
const HEAVY: readonly (readonly [path: string, seconds: number])[] = [
  ["test/packages/packed", 120],
  ["test/chaos/", 95],
  ["test/cli/stop", 90],
  ["test/dashboard/pages", 80],
  ["test/bots/run-bots", 80],
  ["test/examples/examples", 80],
  ["test/demo/vr", 75],
  ["test/cli/cli", 75],
  ["test/dashboard/accessible", 65],
  ["test/packages/fresh-clone", 60],
  ["test/sdk-docs/quick-starts", 55],
  ["test/naf/basic-scene", 40],
  ["test/demo/play", 35],
  ["test/demo/vision", 25],
];

export default class OneHeavyAtATime extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const secondsOf = ({ moduleId }: TestSpecification): number =>
      HEAVY.find(([path]) => moduleId.includes(path))?.[1] ?? 0;
    const sorted = await super.sort(files);
    const light = sorted.filter((file) => secondsOf(file) === 0);
    const heavy = sorted.filter((file) => secondsOf(file) > 0).sort((a, b) => secondsOf(b) - secondsOf(a));
    const perSecond = light.length / heavy.reduce((sum, file) => sum + secondsOf(file), 0);
    const beside = heavy.flatMap((file) => [
      file,
      ...light.splice(0, Math.round(secondsOf(file) * perSecond)),
    ]);
    return [...beside, ...light];
  }
}
