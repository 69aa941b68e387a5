/**
 * Whether a service can serve, as the sum of conditions that its parts hold against it. It is ready when no condition is left.
 */
export interface Health {
  readonly ready: boolean;
  /** Why it is not ready, a sentence a condition, in the order in which they came up. */
  reasons(): readonly string[];
  /** Makes it not ready until `clear(condition)`. Repeating replaces the reason. */
  hold(condition: string, reason: string): void;
  clear(condition: string): void;
  /** Calls `listener` when `ready` changes. Returns the way to stop that. */
  onChange(listener: (ready: boolean) => void): () => void;
}

/** Health without any condition. */
export function createHealth(): Health {
  const conditions = new Map<string, string>();
  const listeners = new Set<(ready: boolean) => void>();
  const changing = (change: () => void): void => {
    const before = conditions.size === 0;
    change();
    const after = conditions.size === 0;
    if (before !== after) for (const listener of [...listeners]) listener(after);
  };
  return {
    get ready() {
      return conditions.size === 0;
    },
    reasons: () => [...conditions].map(([condition, reason]) => `${condition}: ${reason}`),
    hold: (condition, reason) => changing(() => void conditions.set(condition, reason)),
    clear: (condition) => changing(() => void conditions.delete(condition)),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
