/** A list of callbacks, shaped like Colyseus' own signals: call it to add, get a function to remove. */
export interface Signal<T> {
  (listener: (value: T) => void): () => void;
  emit(value: T): void;
}

export function signal<T>(): Signal<T> {
  const listeners = new Set<(value: T) => void>();
  const add = (listener: (value: T) => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return Object.assign(add, {
    emit: (value: T): void => {
      for (const listener of listeners) listener(value);
    },
  });
}
