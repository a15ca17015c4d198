/**
 * The order of test files for two workers: one goes through those that start whole deployments or browsers and keep
 * both cores busy, the other meanwhile through all the rest. Two heavy files side by side run into their limits.
 */
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Heavy files and folders, and about how many seconds each of their files takes. */
const HEAVY: readonly (readonly [path: string, seconds: number])[] = [
  ["test/packages/packed", 240],
  ["test/cli/stop", 80],
  ["test/demo/vr", 140],
  ["test/cli/cli", 70],
  ["test/packages/fresh-clone", 160],
  ["test/bots/run-bots", 80],
  ["test/chaos/", 90],
  ["test/dashboard/", 60],
  ["test/demo/", 40],
  ["test/vm-carrier/carrier", 40],
];
/** Of any other file, on the average. */
const LIGHT_S = 12;

export default class OneHeavyAtATime extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number =>
      HEAVY.findIndex(([path]) => moduleId.includes(path));
    const sorted = await super.sort(files);
    const light = sorted.filter((file) => rank(file) < 0);
    const heavy = sorted.filter((file) => rank(file) >= 0).sort((a, b) => rank(a) - rank(b));
    const order: TestSpecification[] = [];
    for (const file of heavy) {
      const [, seconds = 0] = HEAVY[rank(file)] ?? [];
      order.push(file, ...light.splice(0, Math.round(seconds / LIGHT_S)));
    }
    return [...order, ...light];
  }
}
