/** The time line under the map: back over the last hour, and to a file. */
import { useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { exportRecording } from "../live/recording.js";
import { useStore } from "../live/store.js";
import { formatSpan, formatTime } from "../ui/format.js";

/** One step of the slider; two evaluations of a room are never closer. */
const STEP_MS = 100;
const PLAY_TICK_MS = 100;

export function TimelinePanel() {
  const store = useStore();
  const playing = useSignal(store.connection.value.kind === "recording");
  const exportError = useSignal("");
  const span = store.span.value;
  const marks = useComputed(() => store.latest.value.receipts);
  const recording = store.connection.value.kind === "recording";

  useEffect(() => {
    if (!playing.value) return;
    const timer = setInterval(() => {
      const { cursorMs } = store;
      const end = store.span.peek()?.toMs ?? 0;
      if (cursorMs.peek() === undefined) playing.value = false;
      else if ((cursorMs.peek() ?? 0) + PLAY_TICK_MS >= end) {
        cursorMs.value = recording ? end : undefined;
        playing.value = false;
      } else cursorMs.value = (cursorMs.peek() ?? 0) + PLAY_TICK_MS;
    }, PLAY_TICK_MS);
    return () => clearInterval(timer);
  }, [playing.value, store, recording, playing]);

  if (!span) return <div class="timeline" />;
  // Whole steps, or the browser would not let the thumb reach the end.
  const lengthMs = STEP_MS * Math.max(1, Math.ceil((span.toMs - span.fromMs) / STEP_MS));
  const cursor = store.cursorMs.value;
  const at = cursor ?? span.fromMs + lengthMs;
  const words =
    cursor === undefined ? "now" : `${formatTime(at)}, ${formatSpan(Math.max(0, span.toMs - at))} ago`;
  const seek = (next: number) => {
    store.cursorMs.value = !recording && next >= span.toMs ? undefined : next;
  };
  const togglePlay = () => {
    if (cursor === undefined || at >= span.toMs) store.cursorMs.value = span.fromMs;
    playing.value = !playing.value;
  };
  const save = () => {
    exportError.value = "";
    exportRecording(store.recording()).catch((error: unknown) => {
      exportError.value = error instanceof Error ? error.message : String(error);
    });
  };
  return (
    <section class={`timeline ${cursor === undefined ? "" : "past"}`} aria-label="Time">
      <button
        type="button"
        class="quiet"
        aria-label={playing.value ? "Pause" : "Play from here"}
        onClick={togglePlay}
      >
        {playing.value ? "❚❚" : "▶"}
      </button>
      <div class="track">
        <div class="marks" aria-hidden="true">
          {marks.value
            .filter((receipt) => receipt.startedAtMs >= span.fromMs)
            .map((receipt) => (
              <span
                key={receipt.migrationId}
                class={receipt.outcome}
                style={{ left: `${(100 * (receipt.startedAtMs - span.fromMs)) / lengthMs}%` }}
              />
            ))}
        </div>
        <input
          type="range"
          aria-label="Time travel"
          aria-valuetext={words}
          min={span.fromMs}
          max={span.fromMs + lengthMs}
          step={STEP_MS}
          value={at}
          onInput={(event) => {
            playing.value = false;
            seek(Number(event.currentTarget.value));
          }}
        />
      </div>
      <span class="timeline-words">{words}</span>
      {!recording && (
        <>
          <button
            type="button"
            disabled={cursor === undefined}
            onClick={() => {
              store.cursorMs.value = undefined;
            }}
          >
            Live
          </button>
          <button type="button" onClick={save}>
            Export
          </button>
        </>
      )}
      {exportError.value && <span class="failed">{exportError.value}</span>}
    </section>
  );
}
