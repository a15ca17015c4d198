/** Zoom for those without a wheel. */
import type { ZoomControl } from "./use-zoom.js";

export function MapButtons({ zoom }: { zoom: ZoomControl }) {
  return (
    <fieldset class="map-buttons" aria-label="Map zoom">
      <button type="button" aria-label="Zoom in" onClick={() => zoom.zoomBy(1.6)}>
        +
      </button>
      <button type="button" aria-label="Zoom out" onClick={() => zoom.zoomBy(1 / 1.6)}>
        −
      </button>
      <button type="button" aria-label="Whole world" onClick={zoom.reset}>
        <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
          <path
            d="M2 6 V2 H6 M10 2 H14 V6 M14 10 V14 H10 M6 14 H2 V10"
            fill="none"
            stroke="currentColor"
            stroke-width="1.6"
          />
        </svg>
      </button>
    </fieldset>
  );
}
