import type { AdminContext } from './admin-context.ts';
import type { Options } from './usage.ts';

/** What a verb has to say: text for people, and the same as data for `--json`. */
export interface Output {
  readonly text: string;
  readonly json: unknown;
}

/** Tells people how a verb that takes its time goes: a sentence. */
export type Report = (text: string) => void;

/** Does what a verb stands for. @throws UsageError, MqError, RpcError */
export type Command = (context: AdminContext, options: Options, report: Report) => Promise<Output>;

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
