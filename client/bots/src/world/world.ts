/** The demo world: cities, the hosts among them, and measured round trips between all of them. */
import { readFileSync } from "node:fs";
import { CITIES, type City, HOST_CITY_IDS } from "./cities.js";

/** How the extract came about, and its licence, are next to it. */
const EXTRACT = new URL("../../data/world-rtt.csv", import.meta.url);

export interface EmulatedWorld {
  readonly cities: readonly City[];
  /** Cities with an edge host; the host id is the city id. */
  readonly hosts: readonly City[];
  /** Round trip between two cities, ms: a measured number, 0 from a city to itself. */
  rttMs(fromCityId: string, toCityId: string): number;
  /** The same for all pairs, as the distance emulator takes it. */
  readonly rttTable: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** @throws Error if the packaged RTT table is missing or does not match the cities */
export function loadWorld(): EmulatedWorld {
  const rttTable = parseExtract(readFileSync(EXTRACT, "utf8"));
  const rttMs = (from: string, to: string): number => {
    const value = rttTable[from]?.[to];
    if (value === undefined) throw new Error(`no round trip from ${from} to ${to} in the demo world`);
    return value;
  };
  for (const from of CITIES) for (const to of CITIES) rttMs(from.cityId, to.cityId);
  const hosts = HOST_CITY_IDS.map((id) => findCity(id));
  return { cities: CITIES, hosts, rttMs, rttTable };
}

function findCity(cityId: string): City {
  const city = CITIES.find((c) => c.cityId === cityId);
  if (!city) throw new Error(`no city ${cityId} in the demo world`);
  return city;
}

/** Lines of `city,node,rtt,rtt,...` under a header that names the columns. */
function parseExtract(csv: string): Record<string, Record<string, number>> {
  const [head = "", ...rows] = csv.trim().split("\n");
  const columns = head.split(",").slice(2);
  return Object.fromEntries(
    rows.map((row) => {
      const [cityId = "", , ...cells] = row.split(",");
      return [cityId, Object.fromEntries(columns.map((column, i) => [column, Number(cells[i])]))];
    }),
  );
}
