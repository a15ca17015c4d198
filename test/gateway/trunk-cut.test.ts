/** The connection between a gateway and a room host breaks again and again: players and room notice nothing. */
import { it } from "vitest";
import { until } from "../broker/support/world.js";
import { CuttableProxy } from "../support/cuttable-proxy.js";
import { GatewayWorld, PATIENCE_MS, StockPlayer } from "./support.js";

it("goes on where it was: nothing lost, doubled or out of order, in either direction", async () => {
  let host = "";
  await using wire = await CuttableProxy.start(() => host);
  const addressBook = {
    translate: (address: string): string => {
      host = address;
      return wire.address;
    },
  };
  await using world = await GatewayWorld.start({ addressBook });
  const { url } = await world.gateway();
  const [ada, bob] = [await StockPlayer.join(url), await StockPlayer.join(url)];
  for (const player of [ada, bob]) player.talk();
  for (let cut = 0; cut < 5; cut++) {
    const { shots } = ada;
    const said = ada.entry?.last ?? 0;
    await until(() => ada.shots > shots + 5 && (ada.entry?.last ?? 0) > said, PATIENCE_MS);
    wire.cut();
  }
  for (const player of [ada, bob]) {
    await player.leaveWhole();
  }
}, 90_000);
