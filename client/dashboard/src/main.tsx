/** Starts the page: on the live stream, or on the recording inside it. */
import "./zod-without-eval.js";
import "./styles/index.css";
import { render } from "preact";
import { ControlContext, createControl } from "./api/control.js";
import { createSession } from "./api/session.js";
import { App } from "./app.js";
import { embeddedRecording } from "./live/recording.js";
import { liveStore, recordedStore, StoreContext } from "./live/store.js";
import { followRoute, RouteContext } from "./ui/route.js";
import { createTheme, ThemeContext } from "./ui/theme.js";
import { loadTypeface } from "./ui/typeface.js";

const root = document.getElementById("app");
if (!root) throw new Error("the page has no #app element");

const closed = new AbortController();
addEventListener("pagehide", (event) => {
  if (!event.persisted) closed.abort();
});
const recording = embeddedRecording();
const session = createSession();
const store =
  recording === undefined
    ? liveStore(() => session.login.peek()?.token, closed.signal)
    : recordedStore(recording);
const control = recording === undefined ? createControl(session) : undefined;

// Without it the system's own typeface serves; that is no reason not to show the map.
await loadTypeface().catch(() => undefined);
render(
  <StoreContext.Provider value={store}>
    <RouteContext.Provider value={followRoute(closed.signal)}>
      <ThemeContext.Provider value={createTheme()}>
        <ControlContext.Provider value={control}>
          <App />
        </ControlContext.Provider>
      </ThemeContext.Provider>
    </RouteContext.Provider>
  </StoreContext.Provider>,
  root,
);
