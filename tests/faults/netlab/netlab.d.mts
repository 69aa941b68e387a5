/** Types of what the tests use of `netlab.mjs`. */

export class Netlab {
  static up(nodes: readonly string[], options?: { readonly seed?: number; readonly mtu?: number }): Promise<Netlab>;
  /** Address of a host. */
  ip(node: string): string;
  /** Name of its network namespace. */
  ns(node: string): string;
  cut(a: string, b: string): Promise<string>;
  /** Frames from a to b. */
  cutOneWay(a: string, b: string): Promise<string>;
  isolate(a: string): Promise<string>;
  heal(a?: string, b?: string): Promise<string>;
  link(a: string, b: string, faults: Readonly<Record<string, number>>): Promise<string>;
  down(): Promise<void>;
}
