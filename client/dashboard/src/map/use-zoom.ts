/** Pan and zoom of the map by pointer, wheel, touch and keys. */
import { useSignal } from "@preact/signals";
import { select } from "d3-selection";
import { type ZoomBehavior, zoom, zoomIdentity } from "d3-zoom";
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { View } from "./scene.js";

const MAX_ZOOM = 24;
const STEP = 1.5;
const PAN_PX = 60;

export interface ZoomControl {
  readonly view: View;
  zoomBy(factor: number): void;
  reset(): void;
  /** @returns true when the key meant something to the map */
  onKey(key: string): boolean;
}

/** `accepts` says whether a press may start a pan just now. */
export function useZoom(target: RefObject<HTMLElement | null>, accepts: () => boolean): ZoomControl {
  const view = useSignal<View>({ k: 1, x: 0, y: 0 });
  const behaviour = useRef<ZoomBehavior<HTMLElement, unknown> | undefined>(undefined);
  const mayStart = useRef(accepts);
  mayStart.current = accepts;

  useEffect(() => {
    const element = target.current;
    if (!element) return;
    const zooming = zoom<HTMLElement, unknown>()
      .scaleExtent([1, MAX_ZOOM])
      .filter(
        (event: MouseEvent) =>
          (!event.ctrlKey || event.type === "wheel") && !event.button && mayStart.current(),
      )
      .on("zoom", ({ transform }: { transform: View }) => {
        view.value = { k: transform.k, x: transform.x, y: transform.y };
      });
    const keepInside = () => {
      const { width, height } = element.getBoundingClientRect();
      zooming.translateExtent([
        [0, 0],
        [width, height],
      ]);
    };
    keepInside();
    const resized = new ResizeObserver(keepInside);
    resized.observe(element);
    select(element).call(zooming).on("dblclick.zoom", null);
    behaviour.current = zooming;
    return () => {
      resized.disconnect();
      select(element).on(".zoom", null);
    };
  }, [target, view]);

  const act = (change: (zooming: ZoomBehavior<HTMLElement, unknown>, element: HTMLElement) => void) => {
    if (behaviour.current && target.current) change(behaviour.current, target.current);
  };
  const zoomBy = (factor: number) => act((zooming, element) => zooming.scaleBy(select(element), factor));
  const panBy = (x: number, y: number) =>
    act((zooming, element) => zooming.translateBy(select(element), x / view.value.k, y / view.value.k));
  const reset = () => act((zooming, element) => zooming.transform(select(element), zoomIdentity));
  const keys: Record<string, () => void> = {
    "+": () => zoomBy(STEP),
    "=": () => zoomBy(STEP),
    "-": () => zoomBy(1 / STEP),
    "0": reset,
    ArrowLeft: () => panBy(PAN_PX, 0),
    ArrowRight: () => panBy(-PAN_PX, 0),
    ArrowUp: () => panBy(0, PAN_PX),
    ArrowDown: () => panBy(0, -PAN_PX),
  };
  const onKey = (key: string) => {
    const action = keys[key];
    action?.();
    return action !== undefined;
  };
  return { view: view.value, zoomBy, reset, onKey };
}
