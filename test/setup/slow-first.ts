/** Files that start whole deployments first, so that no worker is left with one of them at the end. */
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** From the slowest on; all others come after them, in Vitest's own order. */
const SLOW = [
  "test/packages/",
  "test/bots/",
  "test/cli/",
  "test/vm-carrier/carrier",
  "test/chaos/",
  "test/fault-simulation/",
  "test/dashboard/",
  "test/demo/",
  "test/system/",
];

export default class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = SLOW.findIndex((folder) => moduleId.includes(folder));
      return at < 0 ? SLOW.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
