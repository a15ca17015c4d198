/** A one-off read for a page: loaded when its key changes, dropped when the page goes. */
import { type ReadonlySignal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

export type Fetched<T> =
  | { readonly kind: "loading" }
  | { readonly kind: "loaded"; readonly value: T }
  | { readonly kind: "failed"; readonly message: string };

/** @param load undefined when there is nobody to ask; the result then stays `loading` */
export function useFetched<T>(key: string, load: (() => Promise<T>) | undefined): ReadonlySignal<Fetched<T>> {
  const fetched = useSignal<Fetched<T>>({ kind: "loading" });
  useEffect(() => {
    let current = true;
    fetched.value = { kind: "loading" };
    load?.().then(
      (value) => {
        if (current) fetched.value = { kind: "loaded", value };
      },
      (error: unknown) => {
        if (current)
          fetched.value = { kind: "failed", message: error instanceof Error ? error.message : String(error) };
      },
    );
    return () => {
      current = false;
    };
  }, [key]);
  return fetched;
}
