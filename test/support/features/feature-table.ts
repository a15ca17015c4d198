/** The table of features in docs/colyseus.md: written from what the trials found, and checked against it. */
import type { Feature } from "./stage.js";

const BEGIN = "<!-- features: npm run docs:features -->";
const END = "<!-- end of features -->";
const HEAD = [
  "| of | feature | on Colyseus | here | after a move | after its host's death |",
  "|---|---|---|---|---|---|",
];
const SAME = "as on Colyseus";

/** What was found of a feature; undefined if that was not tried. */
export interface Found {
  /** The trial got through on Colyseus. */
  bare: boolean;
  /** The same was seen as on Colyseus. */
  here: boolean | undefined;
  moved: boolean;
  died: boolean | undefined;
}

/** @returns the page with this table in place of the one that it has, which stays right about what was not tried */
export function withTable(
  page: string,
  features: readonly Feature[],
  of: (feature: Feature) => Found,
): string {
  const [before, rest] = page.split(BEGIN);
  const [old, after] = rest?.split(END) ?? [];
  if (old === undefined || after === undefined)
    throw new Error(`docs/colyseus.md has no ${BEGIN} with an ${END}`);
  const rows = features.map((feature) => {
    const name = feature.name.replaceAll("|", "\\|");
    const head = `| ${feature.area} | ${name} |`;
    const known = old.split("\n").find((line) => line.startsWith(head));
    const [, oldHere, , oldDied] = known?.slice(head.length).split("|") ?? [];
    const text = (same: boolean | undefined, otherwise = ""): string =>
      same === undefined ? otherwise.trim() : same ? SAME : "**differs**";
    const { bare, here, moved, died } = of(feature);
    const cells = [bare ? "tried" : "**fails**", text(here, oldHere), text(moved), text(died, oldDied)];
    return `${head} ${cells.join(" | ")} |`;
  });
  return `${before}${BEGIN}\n${[...HEAD, ...rows].join("\n")}\n${END}${after}`;
}
