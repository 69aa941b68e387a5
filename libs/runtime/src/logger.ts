/** Values that a log line may carry beside its text. */
export type LogFields = Readonly<Record<string, unknown>>;

/** JSON lines. Facts go into fields, never into prose; texts from outside are cut at 256 bytes by the implementation. */
export interface Logger {
  child(fields: LogFields): Logger;
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}
