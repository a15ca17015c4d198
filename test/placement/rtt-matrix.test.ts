/** Round trips in the forms in which people publish them, and what is said of those that can be read two ways. */
import { readFileSync } from "node:fs";
import {
  checkSlices,
  describeUnderstood,
  MatrixError,
  type ReadOptions,
  readRttMatrix,
  readRttSlices,
} from "@centroid/placement";
import { describe, expect, it } from "vitest";

/** What every form below says: the round trips of four nodes, ms. */
const ROWS = [
  [0, 10, 20, 310],
  [10, 0, 30, 410],
  [20, 30, 0, 510],
  [310, 410, 510, 0],
];
const PAIRS = ROWS.flatMap((row, i) => row.flatMap((ms, j) => (j > i ? [[i, j, ms] as const] : [])));
const NAMES = ["us-east-1", "eu west", "ap", "sa"];
const nameOf = (i: number): string => NAMES[i] ?? "";
const square = (delimiter: string, cell: (ms: number) => string = String): string =>
  ROWS.map((row) => row.map(cell).join(delimiter)).join("\n");
const markdown = (columns: readonly number[]): string =>
  [
    `| Source | ${columns.map((j) => `**${nameOf(j)}**`).join(" | ")} |`,
    `|---|${columns.map(() => "--:|").join("")}`,
    ...ROWS.map(
      (row, i) => `| [${nameOf(i)}](x) | ${columns.map((j) => (i === j ? "" : row[j])).join(" | ")} |`,
    ),
  ].join("\n");
const nested = (value: (ms: number) => unknown): object =>
  Object.fromEntries(
    ROWS.map((row, i) => [
      nameOf(i),
      Object.fromEntries(row.map((ms, j) => [nameOf(j), value(ms)] as const).filter((_, j) => i !== j)),
    ]),
  );

const FORMS: readonly (readonly [string, string])[] = [
  ["a square", square(",")],
  ["a square with spaces", ROWS.map((row) => row.map((ms) => String(ms).padStart(6)).join("")).join("\n")],
  ["a square with tabs, also at line ends", ROWS.map((row) => `${row.join("\t")}\t`).join("\n")],
  ["a square with commas and spaces", square(", ")],
  ["semicolons and decimal commas", square(";", (ms) => `${ms},0`)],
  ["seconds", square(" ", (ms) => (ms / 1000).toFixed(4))],
  ["microseconds", square(" ", (ms) => (ms * 1000).toFixed(1))],
  ["cells with units", square(",", (ms) => (ms > 300 ? `${ms / 1000} s` : `${ms}ms`))],
  [
    "a unit in the comment",
    `# round trips in microseconds, each over 30 seconds\n${square(",", (ms) => `${ms * 1000}`)}`,
  ],
  [
    "a unit in the corner",
    `rtt (us),${NAMES.join(",")}\n${ROWS.map((row, i) => `${nameOf(i)},${row.map((ms) => ms * 1000).join(",")}`).join("\n")}`,
  ],
  ["an upper triangle", "0,10,20,310\n0,30,410\n0,510\n0"],
  ["an upper triangle without diagonal", "10 20 310\n30 410\n510"],
  [
    "an upper triangle with names",
    `,${NAMES.join(",")}\n${ROWS.map((row, i) => `${nameOf(i)},${row.slice(i).join(",")}`).join("\n")}`,
  ],
  ["a padded upper triangle", "0,10,20,310\n,0,30,410\n,,0,510\n,,,0"],
  ["an upper triangle over zeros", "0,10,20,310\n0,0,30,410\n0,0,0,510\n0,0,0,0"],
  ["a lower triangle", "0\n10,0\n20,30,0\n310,410,510,0"],
  ["a lower triangle with names", "a\nb,10\nc,20,30\nd,310,410,510"],
  ["i j microseconds", PAIRS.map(([i, j, ms]) => `${i + 1} ${j + 1} ${ms * 1000}`).join("\n")],
  [
    "i,j microseconds after lines of another kind",
    `topology\n1\n2\n3\n4\n\n${PAIRS.map(([i, j, ms]) => `${i},${j} ${ms * 1000}`).join("\n")}`,
  ],
  [
    "a long table with many columns and repeats",
    `source,destination,timestamp,min,avg,max,mdev\n${PAIRS.flatMap(([i, j, ms]) => [ms, ms + 0.5, ms - 0.5].map((avg) => `${i},${j},2020-07-19 00:00:0${i},${ms - 1},${avg},${ms + 9},0.3`)).join("\n")}`,
  ],
  [
    "a long table of two clouds",
    `sending_cloud,sending_region,receiving_cloud,receiving_region,milliseconds\n${PAIRS.map(([i, j, ms]) => `gcp,${nameOf(i)},gcp,${nameOf(j)},${ms}`).join("\n")}`,
  ],
  [
    "what a database prints",
    ` src | dst | rtt\n-----+-----+-----\n${PAIRS.map(([i, j, ms]) => ` ${i} | ${j} | ${ms}`).join("\n")}\n(6 rows)`,
  ],
  ["quoted names", PAIRS.map(([i, j, ms]) => `"${nameOf(i)}" "${nameOf(j)}" ${ms}`).join("\n")],
  ["Markdown", `# Latency\n\nIn milliseconds.\n\n${markdown([0, 1, 2, 3])}\n`],
  [
    "Markdown in two tables beside another",
    `${markdown([0, 1])}\n\n${markdown([2, 3])}\n\n|a|b|\n|--|--|\n|x|y|\n`,
  ],
  ["JSON, a matrix", JSON.stringify(ROWS)],
  [
    "JSON, a matrix with labels",
    JSON.stringify({ regions: NAMES, unit: "s", rtt: ROWS.map((row) => row.map((ms) => ms / 1000)) }),
  ],
  ["JSON, region by region", JSON.stringify({ metadata: { at: "2026" }, data: nested((ms) => ms) })],
  [
    "JSON, percentiles in microseconds",
    JSON.stringify({ unit: "us", data: nested((ms) => ({ p50: ms * 1000, p99: ms * 9999 })) }),
  ],
  [
    "JSON, lists in regions",
    JSON.stringify(
      ROWS.map((row, i) => ({
        region: nameOf(i),
        latencies: row.flatMap((ms, j) => (i === j ? [] : [{ region: nameOf(j), ms }])),
      })),
    ),
  ],
  [
    "JSON, measurements",
    JSON.stringify({
      pairs: PAIRS.map(([i, j, ms]) => ({
        source: { name: nameOf(i) },
        target: { name: nameOf(j) },
        rtt: { avg: ms, min: 1 },
      })),
    }),
  ],
  [
    "JSON lines",
    PAIRS.map(([i, j, ms]) => JSON.stringify({ from: nameOf(i), to: nameOf(j), latency_us: ms * 1000 })).join(
      "\n",
    ),
  ],
  ["NumPy", `[[${ROWS.map((row) => row.join(" ")).join("]\n [")}]]`],
];

describe("readRttMatrix", () => {
  it.each(FORMS)("reads %s", (_, text) => {
    const { rttMs, size } = readRttMatrix(text, "x");
    expect(size).toBe(4);
    ROWS.flat().forEach((ms, i) => {
      expect(rttMs[i]).toBeCloseTo(ms, 6);
    });
  });

  const PLAIN = "0,10,20\n10,0,30\n20,30,0\n";
  it.each([
    ["header row", `a,b,c\n${PLAIN}`],
    ["numbered header row", `0,1,2\n${PLAIN}`],
    ["header column", "a,0,10,20\nb,10,0,30\nc,20,30,0"],
    ["both, blank corner", ",a,b,c\na,0,10,20\nb,10,0,30\nc,20,30,0"],
    ["both, in another order", ",c,b,a\na,20,10,0\nb,30,0,10\nc,0,30,20"],
    ["both, numbered", ",0,1,2\n0,0,10,20\n1,10,0,30\n2,20,30,0"],
    ["both, quoted names", '"node","Paris, FR",b,c\n"Paris, FR",0,10,20\nb,10,0,30\nc,20,30,0'],
    ["a column of means", "from,a,b,c,average\na,0,10,20,15\nb,10,0,30,20\nc,20,30,0,25"],
    ["semicolons, CRLF, byte order mark", "\uFEFF0;10;20\r\n10;0;30\r\n20;30;0\r\n"],
    ["blank diagonal", ",10,20\n10,,30\n20,30,"],
    ["a gap that the other way fills", "0,10,n/a\n10,0,30\n20,-1,0"],
  ])("reads a square with %s", (_, text) => {
    expect([...readRttMatrix(text).rttMs]).toEqual([0, 10, 20, 10, 0, 30, 20, 30, 0]);
  });

  it("keeps names", () => {
    expect(readRttMatrix(",a,b\na,0,1\nb,1,0").labels).toEqual(["a", "b"]);
  });

  it("takes the asked unit and column", () => {
    const table = "source,dest,foo,bar\na,b,10,1\nb,c,20,2\na,c,30,3";
    const { rttMs } = readRttMatrix(table, "x", { value: "bar", unit: "s" });
    expect(rttMs[1]).toBe(1_000);
  });
});

const GAPS = "0,10,20,30\n10,0,,40\n20,,0,50\n30,40,50,0";
const read = (text: string, options: ReadOptions = {}) => readRttSlices([{ name: "x", text }], options);

describe("what nobody measured", () => {
  it("leaves out the nodes with the most gaps, and says so in its line", () => {
    const { slices, understood } = read(GAPS);
    expect(slices[0]?.size).toBe(3);
    expect(describeUnderstood(understood)).toBe(
      "square matrix: 3 nodes, ms (by size), 2 of 12 pairs missing, 0 % of pairs differ by more than 10 % between their ways, 1 node left out (n1)",
    );
  });

  it("is bounded by the way over a third node if asked", () => {
    const { slices } = read(GAPS, { missing: "bound" });
    expect(slices[0]?.rttMs[6]).toBe(30);
  });

  it("is refused if asked, naming the pair and the other choices", () => {
    const error = caught(() => read(GAPS, { missing: "error" }));
    expect(error.code).toBe("MATRIX_MISSING");
    expect(error.message).toMatch(/n1 to n2.*--missing drop.*--missing bound/);
  });

  it("comes from the slice before or after where these have it", () => {
    const full = GAPS.replaceAll(",,", ",25,");
    const { slices, understood } = readRttSlices([
      { name: "1", text: GAPS },
      { name: "2", text: full },
    ]);
    expect(slices.map(({ size }) => size)).toEqual([4, 4]);
    expect(slices[0]?.rttMs[6]).toBe(25);
    expect(understood.missing).toBe(0);
  });
});

describe("slices", () => {
  it("reads the PlanetLab slices", () => {
    const slices = [1, 2, 3].map((n) =>
      readRttMatrix(readFileSync(new URL(`../../data/planetlab-rtt-${n}.csv`, import.meta.url), "utf8")),
    );
    checkSlices(slices);
    expect(slices.map(({ size }) => size)).toEqual([245, 245, 245]);
  });

  it("puts named nodes in one order whatever each file's", () => {
    const { slices } = readRttSlices([
      { name: "1", text: ",a,b,c\na,0,10,20\nb,10,0,30\nc,20,30,0" },
      { name: "2", text: ",c,b,a\nc,0,31,21\nb,31,0,11\na,21,11,0" },
    ]);
    expect(slices.map(({ rttMs }) => rttMs[1])).toEqual([10, 11]);
  });

  it("are of the same nodes", () => {
    const files = ["0,1\n1,0", "0,10,20\n10,0,30\n20,30,0"].map((text, i) => ({ name: `${i}`, text }));
    expect(caught(() => readRttSlices(files)).code).toBe("MATRIX_SLICES_DIFFER");
  });
});

describe("refuses", () => {
  it.each([
    ["nothing", "", "MATRIX_EMPTY", /empty/],
    ["one number", "0", "MATRIX_TOO_SMALL", /2 nodes/],
    ["a short row", "0,1,2\n1,0\n2,1,0", "MATRIX_RAGGED_ROW", /row 2.*triangle|row 2.*half/],
    ["what is no square", "0,1.5,2,9\n1,0,3,9", "MATRIX_NOT_SQUARE", /long table/],
    ["words", "0,1,2\n1,0,abc\n2,1,0", "MATRIX_NOT_A_NUMBER", /row 2, column 3 is "abc"/],
    ["negative numbers", "0,1,2\n1,0,3\n-2,1,0", "MATRIX_NEGATIVE", /row 3, column 1/],
    ["a minute and more", "0,1,2\n1,0,9000000\n2,1,0", "MATRIX_TOO_LARGE", /n1 to n2.*--unit/],
    ["open quotes", '0,"1,2\n1,0,2\n2,1,0', "MATRIX_BAD_QUOTES", /quote/],
    ["ms that may be s", "0,0.6,0.7\n0.6,0,0.8\n0.7,0.8,0", "MATRIX_AMBIGUOUS", /--unit s or --unit ms/],
    [
      "ms that may be us",
      "0,2600,2700\n2600,0,2800\n2700,2800,0",
      "MATRIX_AMBIGUOUS",
      /--unit us or --unit ms/,
    ],
    [
      "two likely columns",
      "source,dest,foo,bar\na,b,10,1\nb,c,20,2\na,c,30,3",
      "MATRIX_AMBIGUOUS",
      /--value foo, bar/,
    ],
    [
      "two columns without names",
      "a b 10 1\nb c 20 2\na c 30 3\na d 1 1\nb d 1 1",
      "MATRIX_AMBIGUOUS",
      /--value 3, 4/,
    ],
    [
      "two likely keys",
      JSON.stringify(nested((ms) => ({ x: ms, y: ms }))),
      "MATRIX_AMBIGUOUS",
      /--value x, y/,
    ],
    ["JSON of something else", '{"a":{"b":1}}', "MATRIX_UNREADABLE", /no round trips/],
  ])("%s", (_, text, code, message) => {
    const error = caught(() => readRttMatrix(text, "x.csv"));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).toContain("x.csv");
  });
});

function caught(action: () => unknown): MatrixError {
  try {
    action();
  } catch (error) {
    if (error instanceof MatrixError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
