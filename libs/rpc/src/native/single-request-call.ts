import { ownCopy } from '../bytes.ts';
import { RpcError } from '../service.ts';
import { readUint32 } from './frames.ts';
import { MESSAGE_PREFIX_BYTES, MessageReader } from './message-reader.ts';
import { ServerCall } from './server-call.ts';

const COMPRESSED = 1;
/** A smaller message that has to wait is copied: as a view it would hold all that was received with it. */
const VIEW_BYTES_MIN = 4096;

/**
 * A call with exactly one request, which its handler gets when the client has half-closed. It is not inflated before, so
 * that little that was sent can not hold much.
 */
export abstract class SingleRequestCall extends ServerCall {
  #message: Buffer | undefined;
  #isCompressed = false;
  /** Made when the message does not lie in a frame of its own. */
  #reader: MessageReader | undefined;
  /** What came of it is counted, as it takes memory and may do so for long. */
  #isCounted = false;

  protected override receive(bytes: Buffer, start: number, end: number, frameBytes: number, isLast: boolean): void {
    if (!this.isEnded) this.#read(bytes, start, end);
    if (!isLast && !this.isEnded) this.#hold(end - start);
    this.consumed(frameBytes);
  }

  protected override receiveEnd(): void {
    if (this.isEnded) return;
    const message = this.#message;
    if (this.#reader?.isWithin === true) {
      this.finish('INVALID_ARGUMENT', 'the request ends within a message');
    } else if (message === undefined) {
      this.finish('INVALID_ARGUMENT', 'this method takes one request message, but none came');
    } else if (this.#isCompressed) {
      this.#inflate(message);
    } else {
      this.#dispatch(message);
    }
  }

  protected override ended(): void {
    this.#message = undefined;
    this.#reader = undefined;
  }

  protected abstract run(request: unknown): void;

  #read(bytes: Buffer, start: number, end: number): void {
    const length = end - start - MESSAGE_PREFIX_BYTES;
    if (this.#reader === undefined && length >= 0 && bytes[start] === 0 && readUint32(bytes, start + 1) === length) {
      this.#take(bytes.subarray(start + MESSAGE_PREFIX_BYTES, end), 0);
      return;
    }
    this.#reader ??= new MessageReader();
    const reader = this.#reader;
    for (let at = start; at < end && !this.isEnded; ) {
      at = reader.read(bytes, at, end);
      if (reader.message !== undefined) this.#take(reader.message, reader.flag);
      else if (reader.announcedBytes > this.host.messageBytesMax) this.refuseSize();
    }
  }

  /** What came stays for as long as the client likes. */
  #hold(byteCount: number): void {
    this.#isCounted = true;
    if (this.#message && this.#message.length < VIEW_BYTES_MIN) this.#message = ownCopy(this.#message);
    this.host.intake.received(this, byteCount);
  }

  #take(message: Buffer, flag: number): void {
    if (this.#message !== undefined) {
      this.finish('INVALID_ARGUMENT', 'this method takes one request message, but a second one came');
    } else if (message.length > this.host.messageBytesMax) {
      this.refuseSize();
    } else {
      this.#message = message;
      this.#isCompressed = flag === COMPRESSED;
    }
  }

  #inflate(message: Buffer): void {
    this.host.inflater.inflate(this, message, this.head.encoding, (result) => {
      if (result === 'too large') this.refuseSize();
      else if (result instanceof RpcError) this.fail(result);
      else this.#dispatch(result);
    });
  }

  #dispatch(message: Buffer): void {
    if (this.#isCounted) this.host.intake.forget(this);
    this.#message = undefined;
    const decoded = this.decoded(message);
    if (decoded) this.run(decoded.request);
  }
}
