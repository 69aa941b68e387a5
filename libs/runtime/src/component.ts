/** A part of a service that runs. Its constructor does no I/O; components start in written order and stop in reverse. */
export interface Component {
  readonly name: string;
  start(): Promise<void>;
  /** Ends within `deadlineMs`, finishing what is open. Idempotent; also called when `start` failed half-way. */
  stop(deadlineMs: number): Promise<void>;
}
