/** A menu of the emulated network's cities, and the network label that a player is sent around by. */
import { sites, travel } from "./emulation.js";

/** Names that a label does not spell. */
const NAMES: Readonly<Record<string, string>> = { "sao-paulo": "São Paulo" };

const title = (siteId: string): string =>
  NAMES[siteId] ??
  siteId.replace(/(^|-)(\w)/g, (_, gap: string, letter: string) => (gap && " ") + letter.toUpperCase());

/** Fills the menu; choosing a city sends the player with this network label there. */
export async function cityMenu(select: HTMLSelectElement, network: string, start: string): Promise<void> {
  await travel(network, start);
  for (const siteId of await sites()) {
    const option = document.createElement("option");
    option.value = siteId;
    option.textContent = title(siteId);
    option.selected = siteId === start;
    select.append(option);
  }
  select.addEventListener("change", () => void travel(network, select.value));
}
