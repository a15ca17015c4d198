/** The room's state as its host has it, as a tree that opens where you look. */
import { useSignal } from "@preact/signals";
import type { Control, RoomStateView } from "../api/control.js";
import { Action } from "../ui/action.js";

/** Longer collections are cut: this is for looking, not for exporting. */
const MAX_CHILDREN = 100;

export function StateInspector({ roomId, control }: { roomId: string; control: Control }) {
  const read = useSignal<RoomStateView | undefined>(undefined);
  return (
    <div class="inspector">
      <Action
        run={async () => {
          read.value = await control.state(roomId);
        }}
      >
        {read.value ? "Read again" : "Read state"}
      </Action>
      {read.value && <Node name="state" value={read.value.state} depth={0} />}
    </div>
  );
}

function Node({ name, value, depth }: { name: string; value: unknown; depth: number }) {
  if (typeof value !== "object" || value === null) {
    return (
      <div class="leaf">
        <span class="leaf-name">{name}</span> {JSON.stringify(value) ?? "undefined"}
      </div>
    );
  }
  const children = Object.entries(value);
  return (
    <details open={depth < 1}>
      <summary>
        {name}{" "}
        <span class="muted">{Array.isArray(value) ? `[${children.length}]` : `{${children.length}}`}</span>
      </summary>
      {children.slice(0, MAX_CHILDREN).map(([key, child]) => (
        <Node key={key} name={key} value={child} depth={depth + 1} />
      ))}
      {children.length > MAX_CHILDREN && (
        <div class="leaf muted">and {children.length - MAX_CHILDREN} more</div>
      )}
    </details>
  );
}
