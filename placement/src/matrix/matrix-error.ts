/** What can be wrong with round trips read from a file. */

export type MatrixErrorCode =
  | "MATRIX_EMPTY"
  | "MATRIX_TOO_SMALL"
  | "MATRIX_NOT_SQUARE"
  | "MATRIX_RAGGED_ROW"
  | "MATRIX_NOT_A_NUMBER"
  | "MATRIX_NEGATIVE"
  | "MATRIX_TOO_LARGE"
  | "MATRIX_MISSING"
  | "MATRIX_BAD_QUOTES"
  | "MATRIX_AMBIGUOUS"
  | "MATRIX_UNREADABLE"
  | "MATRIX_SLICES_DIFFER";

/** What is wrong with a matrix; `row` and `column` count from 1 as an editor shows the file. */
export class MatrixError extends Error {
  readonly code: MatrixErrorCode;
  readonly row: number | undefined;
  readonly column: number | undefined;

  constructor(code: MatrixErrorCode, message: string, at: { row?: number; column?: number } = {}) {
    super(message);
    this.name = "MatrixError";
    this.code = code;
    this.row = at.row;
    this.column = at.column;
  }
}

/** What may be given, for those whose file is none of it. */
export const READABLE_LAYOUTS =
  "a square matrix or one half of it, a table with sources down and destinations across, a long table (source, destination, round trip), or JSON of these";
