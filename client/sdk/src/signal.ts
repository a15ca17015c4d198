/** A list of callbacks, shaped like Colyseus' own signals: call it to add, get a function to remove. */
export interface Signal<T> {
  (listener: (value: T) => void): () => void;
  emit(value: T): void;
}

/** @param onFirst called before the first listener is added */
export function signal<T>(onFirst?: () => void): Signal<T> {
  const listeners = new Set<(value: T) => void>();
  let first = onFirst;
  const add = (listener: (value: T) => void): (() => void) => {
    first?.();
    first = undefined;
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return Object.assign(add, {
    emit: (value: T): void => {
      for (const listener of listeners) listener(value);
    },
  });
}
