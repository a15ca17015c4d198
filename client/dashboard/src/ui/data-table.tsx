/** A sortable table that renders only the rows in sight, so that a thousand hosts scroll like six. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useMemo, useRef } from "preact/hooks";
import { REACHABLE_BY_KEYS } from "./reachable.js";
import { useSize } from "./use-size.js";

export interface Column<Row> {
  readonly title: string;
  readonly numeric?: boolean;
  /** What it is sorted by; undefined goes last either way. */
  readonly value: (row: Row) => string | number | undefined;
  readonly cell: (row: Row) => ComponentChildren;
}

interface DataTableProps<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string;
  readonly selectedKey?: string | undefined;
  readonly empty: string;
}

/** Fixed by the style sheet as well. */
const ROW_PX = 36;
const OVERSCAN_ROWS = 8;

export function DataTable<Row>({ label, columns, rows, rowKey, selectedKey, empty }: DataTableProps<Row>) {
  const order = useSignal({ column: 0, descending: false });
  const scrollTop = useSignal(0);
  const box = useRef<HTMLElement>(null);
  const { height } = useSize(box);

  const sorted = useMemo(() => {
    const value = columns[order.value.column]?.value;
    if (!value) return rows;
    return [...rows].sort((a, b) => compare(value(a), value(b), order.value.descending));
  }, [rows, order.value, columns]);

  const first = Math.max(0, Math.floor(scrollTop.value / ROW_PX) - OVERSCAN_ROWS);
  const last = Math.min(sorted.length, Math.ceil((scrollTop.value + height) / ROW_PX) + OVERSCAN_ROWS);
  const sortBy = (column: number) => {
    const { column: current, descending } = order.value;
    order.value = { column, descending: column === current && !descending };
  };

  return (
    <section
      class="table-scroll"
      ref={box}
      {...REACHABLE_BY_KEYS}
      aria-label={label}
      onScroll={(event) => {
        scrollTop.value = event.currentTarget.scrollTop;
      }}
    >
      <table aria-label={label} aria-rowcount={sorted.length + 1}>
        <thead>
          <tr>
            {columns.map((column, index) => {
              const active = order.value.column === index;
              const direction = order.value.descending ? "descending" : "ascending";
              return (
                <th
                  key={column.title}
                  scope="col"
                  class={column.numeric ? "numeric" : ""}
                  aria-sort={active ? direction : "none"}
                >
                  <button type="button" onClick={() => sortBy(index)}>
                    {column.title}
                    <span class="sort-mark" aria-hidden="true">
                      {active ? (order.value.descending ? "▾" : "▴") : ""}
                    </span>
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          <Spacer rows={first} columns={columns.length} />
          {sorted.slice(first, last).map((row, index) => (
            <tr
              key={rowKey(row)}
              aria-rowindex={first + index + 2}
              class={rowKey(row) === selectedKey ? "selected" : ""}
              data-key={rowKey(row)}
            >
              {columns.map((column) => (
                <td key={column.title} class={column.numeric ? "numeric" : ""}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
          <Spacer rows={sorted.length - last} columns={columns.length} />
        </tbody>
      </table>
      {rows.length === 0 && <p class="empty">{empty}</p>}
    </section>
  );
}

function Spacer({ rows, columns }: { rows: number; columns: number }) {
  if (rows <= 0) return null;
  return (
    <tr class="spacer">
      <td colSpan={columns} style={{ height: `${rows * ROW_PX}px` }} />
    </tr>
  );
}

function compare(
  a: string | number | undefined,
  b: string | number | undefined,
  descending: boolean,
): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  return descending ? -order : order;
}
