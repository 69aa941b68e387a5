import { MIB } from '@orbitmq/base';
import type { LeaderMessage_Read } from '@orbitmq/protocol/orbitmq.replication.v1';
import type { Logger } from '@orbitmq/runtime';
import type { LogChunk, ReplicatedLog } from '@orbitmq/storage';
import { READS_MAX } from './session-reads.ts';
import type { FollowerStream } from './stream.ts';

/** No answer is larger, but one that is a single record. Bytes. */
const ANSWER_BYTES_MAX = MIB;

/** Reads from a follower's copy what its leader asks for: whole records, and only what is confirmed. */
export class ReadAnswers {
  readonly #stream: FollowerStream;
  readonly #logger: Logger;
  readonly #underWay = new Set<Promise<void>>();

  constructor(stream: FollowerStream, logger: Logger) {
    this.#stream = stream;
    this.#logger = logger;
  }

  /** Answers when it has read; other messages of the stream do not wait for that. */
  answer(read: LeaderMessage_Read, copy: ReplicatedLog): void {
    if (this.#underWay.size >= READS_MAX) {
      this.#send(read, undefined);
      return;
    }
    const answering = this.#answer(read, copy).finally(() => this.#underWay.delete(answering));
    this.#underWay.add(answering);
  }

  /** Resolves when the copy is read no more. */
  async ended(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #answer(read: LeaderMessage_Read, copy: ReplicatedLog): Promise<void> {
    const from = Number(read.fromOffset);
    let chunk: LogChunk | undefined;
    try {
      chunk = await copy.readChunk(from, Math.min(read.sizeBytes, ANSWER_BYTES_MAX));
    } catch (error) {
      this.#logger.warn({ err: error, from }, 'what the leader asked for can not be read here either');
    }
    await this.#send(read, chunk !== undefined && isGiven(chunk, read, copy) ? chunk : undefined);
  }

  #send({ id }: LeaderMessage_Read, chunk: LogChunk | undefined): Promise<void> | undefined {
    const records = chunk && {
      startOffset: BigInt(chunk.startOffset),
      endOffset: BigInt(chunk.endOffset),
      records: chunk.bytes,
    };
    return this.#stream.write({ hello: undefined, position: undefined, readAnswer: { id, records } });
  }
}

/** What is here and not confirmed may be cut. */
function isGiven({ bytes, endOffset }: LogChunk, { recordBytesMax }: LeaderMessage_Read, copy: ReplicatedLog): boolean {
  return bytes.length > 0 && bytes.length <= recordBytesMax && endOffset <= copy.confirmedOffset;
}
