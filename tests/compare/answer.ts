import { Code, type Status } from '@orbitmq/protocol/apache.rocketmq.v2';
import { RpcError } from '@orbitmq/rpc';

const CODE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(Code).map(([name, number]) => [number, name]));

/** What a call was answered with. */
export interface Answer<Response> {
  /** Name of the code in the answer's status, or `gRPC` and the status that the call failed with. */
  readonly code: string;
  /** Undefined when the call failed. */
  readonly response: Response | undefined;
}

/** Name of a status's code; `none` when there is no status. */
export function codeName(status: Status | undefined): string {
  return status === undefined ? 'none' : (CODE_NAMES.get(status.code) ?? String(status.code));
}

/**
 * How a call failed.
 * @throws `error` when that is no answer of a server
 */
export function failureName(error: unknown): string {
  if (!(error instanceof RpcError)) throw error;
  return `gRPC ${error.status}`;
}

/** Name of a value of a generated enum. */
export function nameIn(names: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(names).find(([, number]) => number === value)?.[0] ?? String(value);
}
