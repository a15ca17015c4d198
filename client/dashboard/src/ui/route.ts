/** Which page is shown, kept in the URL's fragment so that links and the back button work, offline too. */
import { type ReadonlySignal, signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";

export type Route =
  | { readonly page: "overview" }
  | { readonly page: "room"; readonly roomId: string }
  | { readonly page: "host"; readonly hostId: string }
  | { readonly page: "receipt"; readonly migrationId: string }
  | { readonly page: "audit" };

function parseRoute(hash: string): Route {
  const [page, id = ""] = hash.replace(/^#\/?/, "").split("/").map(decode);
  if (page === "audit") return { page: "audit" };
  if (id === "") return { page: "overview" };
  if (page === "rooms") return { page: "room", roomId: id };
  if (page === "hosts") return { page: "host", hostId: id };
  if (page === "receipts") return { page: "receipt", migrationId: id };
  return { page: "overview" };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

export const overviewLink = "#/";
export const auditLink = "#/audit";
export const roomLink = (roomId: string) => `#/rooms/${encodeURIComponent(roomId)}`;
export const hostLink = (hostId: string) => `#/hosts/${encodeURIComponent(hostId)}`;
export const receiptLink = (migrationId: string) => `#/receipts/${encodeURIComponent(migrationId)}`;

export const RouteContext = createContext<ReadonlySignal<Route> | undefined>(undefined);

export function useRoute(): Route {
  const route = useContext(RouteContext);
  if (!route) throw new Error("no route: wrap the page in RouteContext.Provider");
  return route.value;
}

/** Follows the location's fragment until the signal aborts. */
export function followRoute(stop: AbortSignal): ReadonlySignal<Route> {
  const route = signal(parseRoute(location.hash));
  addEventListener(
    "hashchange",
    () => {
      route.value = parseRoute(location.hash);
    },
    { signal: stop },
  );
  return route;
}
