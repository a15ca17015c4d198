/** The table of features in docs/colyseus.md: written from what the trials found, and checked against it. */
import type { Feature } from "./stage.js";

const BEGIN = "<!-- features: npm run docs:features -->";
const END = "<!-- end of features -->";

export interface Difference {
  moved: boolean;
  died: boolean;
}

/** @returns the page with this table in place of the one that it has */
export function withTable(
  page: string,
  features: readonly Feature[],
  of: (feature: Feature) => Difference,
): string {
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`docs/colyseus.md has no ${BEGIN} with an ${END}`);
  const text = (differs: boolean): string => (differs ? "**differs**" : "as on Colyseus");
  const rows = features.map((feature) => {
    const { moved, died } = of(feature);
    return `| ${feature.area} | ${feature.name.replaceAll("|", "\\|")} | ${text(moved)} | ${text(died)} |`;
  });
  const table = ["| of | feature | after a move | after its host's death |", "|---|---|---|---|", ...rows];
  return `${before}${BEGIN}\n${table.join("\n")}\n${END}${after}`;
}

/** The column of moves, which a run without deaths can check, too. */
export const withoutDeaths = (page: string): string =>
  page
    .split("\n")
    .map((line) =>
      line.replace(
        /^(\|(?:[^|\\]|\\.)*\|(?:[^|\\]|\\.)*\|[^|]*\|) (?:\*\*differs\*\*|as on Colyseus) \|$/,
        "$1",
      ),
    )
    .join("\n");
