/** Values of a verb's options, by the name of the long form. */
export type Options = Readonly<Record<string, string | boolean | undefined>>;

/** The command line can't be used. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** What was asked for was not done, for the reason that the message tells. */
export class RefusedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RefusedError';
  }
}
