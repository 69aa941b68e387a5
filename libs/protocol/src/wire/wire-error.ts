import { MqError } from '@orbitmq/base';

/**
 * Bytes that are not a protobuf message: the only error that the readers of this library throw for bytes from outside.
 * The message names what is wrong and at which byte, never the bytes themselves.
 */
export class WireError extends MqError {
  /** Index of the byte at which the trouble was noticed. */
  readonly position: number;

  constructor(what: string, position: number) {
    super('BAD_REQUEST', `malformed protobuf message: ${what} at byte ${position}; send it as the .proto describes it`);
    this.name = 'WireError';
    this.position = position;
  }
}
