import type { AdminContext } from './admin-context.ts';

/** Values of a verb's options, by the name of the long form. */
export type Options = Readonly<Record<string, string | boolean | undefined>>;

/** What a verb has to say: text for people, and the same as data for `--json`. */
export interface Output {
  readonly text: string;
  readonly json: unknown;
}

/** Does what a verb stands for. @throws UsageError, MqError, RpcError */
export type Command = (context: AdminContext, options: Options) => Promise<Output>;

/** An option as commander writes it: `-t, --topic <name>`. */
export interface VerbOption {
  readonly flags: string;
  readonly description: string;
  readonly required?: boolean;
}

/** One verb of the original. Its command is loaded when it is used. */
export interface Verb {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly VerbOption[];
  load(): Promise<Command>;
}

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
