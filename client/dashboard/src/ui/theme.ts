/** Dark or light: the system's choice until the person makes one. */
import { effect, type Signal, signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";

export type Theme = "dark" | "light";
const STORAGE_KEY = "centroid.theme";

export const ThemeContext = createContext<Signal<Theme> | undefined>(undefined);

export function useTheme(): Signal<Theme> {
  const theme = useContext(ThemeContext);
  if (!theme) throw new Error("no theme: wrap the page in ThemeContext.Provider");
  return theme;
}

export function createTheme(): Signal<Theme> {
  const system: Theme = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  const theme = signal<Theme>(stored() ?? system);
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
  });
  return theme;
}

export function chooseTheme(theme: Signal<Theme>, next: Theme): void {
  theme.value = next;
  try {
    localStorage.setItem(STORAGE_KEY, next);
  } catch {
    // A page opened from a file may have no storage; the choice then lasts as long as the page.
  }
}

function stored(): Theme | undefined {
  try {
    const value = localStorage.getItem(STORAGE_KEY);
    return value === "dark" || value === "light" ? value : undefined;
  } catch {
    return undefined;
  }
}
