/** Every policy against the optimum, over all rooms; a click shows or hides its line. */
import type { PageData, PolicyResult } from "@centroid/placement";
import { LINE_COLORS, WORDS } from "./colors.js";
import { html } from "./dom.js";

const COLUMNS: readonly { head: string; title: string; of: (r: PolicyResult) => string }[] = [
  {
    head: "start",
    title: "J of the first placement over the best host's, mean",
    of: (r) => r.staticMean.toFixed(3),
  },
  { head: "p95", title: "the same, 95th percentile of rooms", of: (r) => r.staticP95.toFixed(3) },
  {
    head: "whole way",
    title: "cost of all steps and moves over the optimum's, mean",
    of: (r) => r.dynamicMean.toFixed(3),
  },
  { head: "p95", title: "the same, 95th percentile of rooms", of: (r) => r.dynamicP95.toFixed(3) },
  { head: "moves", title: "moves per room", of: (r) => r.migrations.toFixed(2) },
  {
    head: "probes",
    title: "confirming probes per player and place",
    of: (r) => r.probesPerPlayer.toFixed(2),
  },
];

/** @param shown names of lines that are drawn, changed here */
export function standings(
  { policies }: PageData,
  shown: Set<string>,
  onChange: () => void,
): HTMLTableElement {
  const head = html("tr", {}, html("th", { scope: "col" }, "policy"));
  for (const { head: text, title } of COLUMNS) head.append(html("th", { scope: "col", title }, text));
  head.append(html("th", { scope: "col", class: "bar-head" }, "excess over the optimum"));
  const most = Math.max(0.05, ...policies.map(({ dynamicMean }) => dynamicMean - 1));
  const rows = policies.map((result) => {
    const { policy, dynamicMean } = result;
    const box = html("input", { type: "checkbox", checked: shown.has(policy) });
    box.addEventListener("change", () => {
      if (box.checked) shown.add(policy);
      else shown.delete(policy);
      onChange();
    });
    const swatch = html("i", { class: "swatch" });
    swatch.style.background = LINE_COLORS[policy];
    const row = html("tr", { class: policy === "centroid" ? "own" : "" });
    row.append(html("th", { scope: "row" }, html("label", {}, box, swatch, WORDS[policy])));
    for (const { of } of COLUMNS) row.append(html("td", {}, of(result)));
    const bar = html("i", { class: "bar" });
    bar.style.width = `${(100 * Math.max(0, dynamicMean - 1)) / most}%`;
    bar.style.background = LINE_COLORS[policy];
    row.append(html("td", { class: "bar-cell" }, bar));
    return row;
  });
  return html("table", { class: "standings" }, html("thead", {}, head), html("tbody", {}, ...rows));
}
