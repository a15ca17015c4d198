/** Style and script of the simulation page, as text: the page must stand alone. */

export const PAGE_STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem; text-align: right; }
th:first-child, td:first-child { text-align: left; } tr.own { font-weight: 600; }
svg { width: 100%; height: 20rem; } label { margin-right: 1.5rem; }
#legend span { margin-right: 1rem; } #legend i { display: inline-block; width: 1em; height: .3em; margin-right: .3em; vertical-align: middle; }
.axis { stroke: currentColor; opacity: .3; } text { fill: currentColor; font-size: 11px; }
`;

/** Regret rule and offline optimum again, over the room's true costs. */
export const PAGE_SCRIPT = `
const $ = (id) => document.getElementById(id);
const COLORS = ["#888","#b58900","#2aa198","#6c71c4","#859900","#cb4b16","#93a1a1","#d33682","#268bd2","#dc322f"];
const p = DATA.parameters;
$("setting").textContent = p.rooms + " rooms, " + p.minPlayers + "-" + p.maxPlayers + " players, " + p.hosts + " hosts of " + p.nodes + " nodes, " + p.steps + " steps, scenario " + p.scenario + ", seed " + p.seed + "; a move costs " + p.migrationCost + " ms.player.step.";
const cell = (row, text, tag = "td") => { const c = document.createElement(tag); c.textContent = text; row.append(c); };
const head = $("policies").insertRow();
for (const t of ["policy", "static J/J*", "p95", "dynamic", "p95", "moves/room", "probes/player"]) cell(head, t, "th");
for (const r of DATA.policies) {
  const row = $("policies").insertRow();
  if (r.policy === "centroid") row.className = "own";
  cell(row, r.policy);
  for (const v of [r.staticMean, r.staticP95, r.dynamicMean, r.dynamicP95]) cell(row, v.toFixed(3));
  cell(row, r.migrations.toFixed(2)); cell(row, r.probesPerPlayer.toFixed(2));
}
for (const r of DATA.rooms) $("room").append(new Option("room " + r.room + ", " + r.scenario, String(r.room)));

const rows = (room) => { const out = []; let i = 0; for (let t = 0; t < room.steps; t++) { while (room.spans[i + 1]?.from <= t) i++; out.push(room.spans[i]); } return out; };
const expand = (room, points) => { const path = []; let i = 0; for (let t = 0; t < room.steps; t++) { while (points[i + 1]?.[0] <= t) i++; path.push(points[i][1]); } return path; };
const costOf = (spans, path, D) => path.reduce((sum, h, t) => sum + spans[t].costs[h] + (t > 0 && h !== path[t - 1] ? D : 0), 0);
const least = (values) => values.reduce((b, v, i) => (v < values[b] ? i : b), 0);
function optimum(spans, D) {
  let costs = [...spans[0].costs];
  for (let t = 1; t < spans.length; t++) { const m = Math.min(...costs) + D; costs = costs.map((c, h) => Math.min(c, m) + spans[t].costs[h]); }
  return Math.min(...costs);
}
function rule(spans, b, D, gain) {
  let at = least(spans[0].costs); let regret = spans[0].costs.map(() => 0);
  return spans.map(({ costs }) => {
    regret = regret.map((s, h) => Math.max(0, s + costs[at] - costs[h]));
    const best = least(costs);
    if (best !== at && regret[best] >= b * D && costs[at] - costs[best] >= gain * costs[at]) { at = best; regret.fill(0); }
    return at;
  });
}
function draw() {
  const room = DATA.rooms.find((r) => String(r.room) === $("room").value);
  if (!room) return;
  const [b, D, gain] = ["factor", "cost", "gain"].map((id) => { $(id).nextElementSibling.value = $(id).value; return Number($(id).value); });
  const spans = rows(room);
  const paths = Object.entries(room.paths).map(([name, points]) => [name, expand(room, points)]);
  const trial = rule(spans, b, D, gain);
  paths.push(["what if", trial]);
  const j = (path) => path.map((h, t) => (spans[t].players ? spans[t].costs[h] / spans[t].players : 0));
  const lines = paths.map(([name, path]) => [name, j(path)]);
  const top = Math.max(1, ...lines.filter(([n]) => n !== "first").flatMap(([, v]) => v));
  const W = 1000, H = 300, X = (t) => 40 + (t / Math.max(1, room.steps - 1)) * (W - 50), Y = (v) => H - 20 - (Math.min(v, top) / top) * (H - 30);
  let svg = '<svg viewBox="0 0 ' + W + " " + H + '" preserveAspectRatio="none">';
  for (const part of [0, .25, .5, .75, 1]) svg += '<line class="axis" x1="40" x2="' + W + '" y1="' + Y(top * part) + '" y2="' + Y(top * part) + '"/><text x="0" y="' + (Y(top * part) + 4) + '">' + Math.round(top * part) + " ms</text>";
  $("legend").replaceChildren();
  lines.forEach(([name, values], i) => {
    const color = COLORS[i % COLORS.length];
    svg += '<polyline fill="none" stroke="' + color + '" stroke-width="' + (name === "centroid" || name === "what if" ? 2.5 : 1) + '" points="' + values.map((v, t) => X(t) + "," + Y(v)).join(" ") + '"/>';
    const item = document.createElement("span"), dot = document.createElement("i");
    dot.style.background = color; item.append(dot, name); $("legend").append(item);
  });
  for (const m of room.moves) svg += '<line x1="' + X(m.step) + '" x2="' + X(m.step) + '" y1="10" y2="' + (H - 20) + '" stroke="#268bd2" stroke-dasharray="3 3"/>';
  $("chart").innerHTML = svg + "</svg>";
  const best = optimum(spans, D), moved = trial.filter((h, t) => t > 0 && h !== trial[t - 1]).length;
  const own = room.paths.centroid && costOf(spans, expand(room, room.paths.centroid), D) / best;
  $("whatif").textContent = "What if: " + (costOf(spans, trial, D) / best).toFixed(3) + " x the optimum with " + moved + " moves" + (own ? "; the engine's run, at this cost of a move: " + own.toFixed(3) + " x." : ".");
  $("moves").replaceChildren(...room.moves.map((m) => { const li = document.createElement("li"); li.textContent = "step " + m.step + ", " + m.from + " -> " + m.to + ": " + m.text; return li; }));
}
$("cost").value = p.migrationCost;
for (const id of ["room", "factor", "cost", "gain"]) $(id).addEventListener("input", draw);
draw();
`;
