/** `centroid travel`: puts a player of the emulated network into another city; its connections stay. */
import { CentroidError, controlRoutes } from "@centroid/protocol";
import type { Command } from "commander";
import { BrokerClient, type BrokerFlags, withBroker } from "../control/broker-client.js";
import { fail, print, printJson } from "../terminal/output.js";

export function registerTravel(program: Command): void {
  withBroker(
    program
      .command("travel <network> <city>")
      .description("with --emulate: send the player with this network label to another city"),
  ).action(async (network: string, cityId: string, flags: BrokerFlags) => {
    try {
      const [{ loadWorld }, { EmulatorControl }] = await Promise.all([
        import("@centroid/bots"),
        import("@centroid/emulation"),
      ]);
      const { cities } = loadWorld();
      const city = cities.find((candidate) => candidate.cityId === cityId);
      if (city === undefined) {
        throw new CentroidError(
          "NOT_FOUND",
          `no city "${cityId}"; choose one of ${cities.map((c) => c.cityId).join(", ")}`,
        );
      }
      const { emulationUrl } = await new BrokerClient(flags).call(controlRoutes.status, {});
      if (emulationUrl === undefined) {
        throw new CentroidError(
          "BAD_REQUEST",
          'this broker does not emulate distances; start it with "centroid up --emulate"',
        );
      }
      await new EmulatorControl(emulationUrl).setSite(network, cityId);
      if (flags.json === true) printJson({ network, cityId });
      else print(`${network} is in ${city.name} now`);
    } catch (cause) {
      fail(cause, flags.json === true);
    }
  });
}
