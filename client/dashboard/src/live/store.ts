/** The page's one store: the live world, the instant being shown, and what is selected. */
import { type BrokerEvent, eventSchema } from "@centroid/protocol";
import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { z } from "zod";
import { History } from "./history.js";
import { type EventStream, followStream } from "./stream.js";
import { applyEvents, type DashboardState, EMPTY_WORLD } from "./world.js";

export interface LiveStore {
  readonly connection: ReadonlySignal<EventStream>;
  readonly unreadable: ReadonlySignal<{ count: number; last: string }>;
  /** The instant shown, ms of broker time; undefined follows the present. */
  readonly cursorMs: Signal<number | undefined>;
  /** The world at the cursor. */
  readonly world: ReadonlySignal<DashboardState>;
  readonly span: ReadonlySignal<{ fromMs: number; toMs: number } | undefined>;
  /** All receipts known now, wherever the cursor stands: the marks on the time line. */
  readonly latest: ReadonlySignal<DashboardState>;
  /** Broker time shown at this moment; runs on between events. */
  nowMs(): number;
  recording(): BrokerEvent[];
}

export const StoreContext = createContext<LiveStore | undefined>(undefined);

export function useStore(): LiveStore {
  const store = useContext(StoreContext);
  if (!store) throw new Error("no store: wrap the page in StoreContext.Provider");
  return store;
}

/**
 * @param token the admin token if there is one: a broker reached over a network streams to nobody else
 * @returns a store that follows `/events` of the page's own origin until the signal aborts
 */
export function liveStore(token: () => string | undefined, signalToStop: AbortSignal): LiveStore {
  const { store, receive, connection, unreadable } = createStore({ kind: "connecting" });
  const url = () => {
    const address = new URL("events", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    address.hash = "";
    return address.href;
  };
  followStream(
    url,
    token,
    {
      onEvents: receive,
      onConnection: (next) => {
        connection.value = next;
      },
      onUnreadable: (reason) => {
        unreadable.value = { count: unreadable.peek().count + 1, last: reason };
      },
    },
    signalToStop,
  );
  return store;
}

/**
 * @returns a store that plays a recording taken by this page
 * @throws ZodError if the text is not one
 */
export function recordedStore(json: string): LiveStore {
  const events = z.array(eventSchema).parse(JSON.parse(json));
  const { store, receive } = createStore({ kind: "recording" });
  for (const event of events) receive([event]);
  store.cursorMs.value = store.span.peek()?.fromMs;
  return store;
}

function createStore(initial: EventStream) {
  const history = new History();
  const connection = signal<EventStream>(initial);
  const unreadable = signal({ count: 0, last: "" });
  const latest = signal<DashboardState>(EMPTY_WORLD);
  const span = signal<{ fromMs: number; toMs: number } | undefined>(undefined);
  const cursorMs = signal<number | undefined>(undefined);
  const world = computed(() => (cursorMs.value === undefined ? latest.value : history.at(cursorMs.value)));
  let heardAt = performance.now();

  const receive = (events: readonly BrokerEvent[]) => {
    const next = applyEvents(latest.peek(), events);
    history.append(events, next);
    heardAt = performance.now();
    batch(() => {
      latest.value = next;
      span.value = history.span();
    });
  };

  const nowMs = () => {
    const cursor = cursorMs.peek();
    if (cursor !== undefined) return cursor;
    const elapsed = connection.peek().kind === "recording" ? 0 : performance.now() - heardAt;
    return latest.peek().atMs + elapsed;
  };

  const store: LiveStore = {
    connection,
    unreadable,
    cursorMs,
    world,
    span,
    latest,
    nowMs,
    recording: () => history.recording(),
  };
  return { store, receive, connection, unreadable };
}
