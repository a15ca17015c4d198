/** The size of an element, followed. */
import { useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

/** @returns CSS pixels; a small default until the element has been laid out */
export function useSize(target: RefObject<HTMLElement | null>): { width: number; height: number } {
  const size = useSignal({ width: 320, height: 200 });
  useLayoutEffect(() => {
    const element = target.current;
    if (!element) return;
    const measure = () => {
      const { clientWidth: width, clientHeight: height } = element;
      if (width > 0 && height > 0) size.value = { width, height };
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [target, size]);
  return size.value;
}
