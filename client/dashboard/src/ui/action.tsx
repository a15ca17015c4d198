/** A button that gives an order: busy while it runs, its failure beside it in words. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Declined } from "../api/control.js";

interface ActionProps {
  readonly run: () => Promise<unknown>;
  readonly children: ComponentChildren;
  readonly label?: string | undefined;
  readonly primary?: boolean;
  readonly disabled?: boolean;
}

export function Action({ run, children, label, primary = false, disabled = false }: ActionProps) {
  const busy = useSignal(false);
  const failure = useSignal("");
  const act = async () => {
    busy.value = true;
    failure.value = "";
    try {
      await run();
    } catch (error) {
      if (!(error instanceof Declined))
        failure.value = error instanceof Error ? error.message : String(error);
    } finally {
      busy.value = false;
    }
  };
  return (
    <span class="action">
      <button
        type="button"
        class={primary ? "primary" : ""}
        aria-label={label}
        aria-busy={busy.value}
        disabled={busy.value || disabled}
        onClick={() => void act()}
      >
        {children}
      </button>
      {failure.value && (
        <span class="failed" role="alert">
          {failure.value}
        </span>
      )}
    </span>
  );
}
