/** Focus after going back: on the link that led away from the overview, else on the content. */
import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Route } from "./route.js";

/** Detail pages focus their own title; this is for the way back. */
export function useFocusReturn(route: Route, content: RefObject<HTMLElement | null>): void {
  /** Fragments opened since the overview, oldest first. */
  const trail = useRef<string[]>([]);
  useLayoutEffect(() => {
    if (route.page !== "overview") {
      trail.current.push(location.hash);
      return;
    }
    const visited = trail.current;
    if (visited.length === 0) return;
    trail.current = [];
    const links = [...(content.current?.querySelectorAll<HTMLAnchorElement>("a[href^='#']") ?? [])];
    const way = [...visited]
      .reverse()
      .map((hash) => links.find((link) => link.hash === hash))
      .find((link) => link !== undefined);
    (way ?? content.current)?.focus();
  }, [route, content]);
}
