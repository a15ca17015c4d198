/** Matrices as people have them, and what is said of bad ones. */
import { readFileSync } from "node:fs";
import { checkSlices, MatrixError, parseRttMatrix } from "@centroid/placement";
import { describe, expect, it } from "vitest";

const PLAIN = "0,10,20\n10,0,30\n20,30,0\n";

describe("parseRttMatrix", () => {
  it.each([
    ["plain", PLAIN],
    ["header row", `a,b,c\n${PLAIN}`],
    ["numbered header row", `0,1,2\n${PLAIN}`],
    ["header column", "a,0,10,20\nb,10,0,30\nc,20,30,0"],
    ["both, blank corner", ",a,b,c\na,0,10,20\nb,10,0,30\nc,20,30,0"],
    ["both, numbered", ",0,1,2\n0,0,10,20\n1,10,0,30\n2,20,30,0"],
    ["both, quoted names", '"node","Paris, FR",b,c\n"Paris, FR",0,10,20\nb,10,0,30\nc,20,30,0'],
    ["semicolons, CRLF, byte order mark", "\uFEFF0;10;20\r\n10;0;30\r\n20;30;0\r\n"],
    ["blank diagonal", ",10,20\n10,,30\n20,30,"],
  ])("reads one with %s", (_, text) => {
    expect([...parseRttMatrix(text).rttMs]).toEqual([0, 10, 20, 10, 0, 30, 20, 30, 0]);
  });

  it("keeps names", () => {
    expect(parseRttMatrix(",a,b\na,0,1\nb,1,0").labels).toEqual(["a", "b"]);
  });

  it("reads the PlanetLab slices", () => {
    const slices = [1, 2, 3].map((n) =>
      parseRttMatrix(readFileSync(new URL(`../../data/planetlab-rtt-${n}.csv`, import.meta.url), "utf8")),
    );
    checkSlices(slices);
    expect(slices.map(({ size }) => size)).toEqual([245, 245, 245]);
  });

  it.each([
    ["", "MATRIX_EMPTY", undefined, undefined],
    ["0", "MATRIX_TOO_SMALL", undefined, undefined],
    ["0,1,2\n1,0\n2,1,0", "MATRIX_RAGGED_ROW", 2, undefined],
    ["0,1.5,2,9\n1,0,3,9", "MATRIX_NOT_SQUARE", 1, undefined],
    ["0,1,2\n1,0,abc\n2,1,0", "MATRIX_NOT_A_NUMBER", 2, 3],
    ["0,1,2\n1,0,NaN\n2,1,0", "MATRIX_NOT_A_NUMBER", 2, 3],
    ["0,Infinity,2\n1,0,1\n2,1,0", "MATRIX_NOT_A_NUMBER", 1, 2],
    ["0,1,2\n1,0,3\n-2,1,0", "MATRIX_NEGATIVE", 3, 1],
    ["0,1,2\n1,0,\n2,1,0", "MATRIX_MISSING", 2, 3],
    ["0,1,2\n1,0,9000000\n2,1,0", "MATRIX_TOO_LARGE", 2, 3],
    ['0,"1,2\n1,0,2\n2,1,0', "MATRIX_BAD_QUOTES", 1, undefined],
  ])("says what is wrong with %j", (text, code, row, column) => {
    const error = caught(() => parseRttMatrix(text, "x.csv"));
    expect(error).toMatchObject({ code, row, column });
    expect(error.message).toContain("x.csv");
  });

  it("wants slices of the same nodes", () => {
    const two = parseRttMatrix("0,1\n1,0");
    expect(caught(() => checkSlices([two, parseRttMatrix(PLAIN)])).code).toBe("MATRIX_SLICES_DIFFER");
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
