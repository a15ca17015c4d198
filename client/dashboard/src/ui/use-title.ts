/** The window's title says which page is open. */
import { useLayoutEffect } from "preact/hooks";

const PRODUCT = "Centroid";

/** @param page undefined for the overview */
export function useTitle(page: string | undefined): void {
  useLayoutEffect(() => {
    document.title = page === undefined ? PRODUCT : `${page} · ${PRODUCT}`;
  }, [page]);
}
