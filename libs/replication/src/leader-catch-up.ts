import type { Clock, Timer } from '@orbitmq/base';
import {
  type FollowerMessage,
  type FollowerMessage_Hello,
  type LeaderMessage_Refusal,
  LeaderMessage_Refusal_Reason as Reason,
} from '@orbitmq/protocol/orbitmq.replication.v1';
import type { Logger } from '@orbitmq/runtime';
import { type FollowerCopy, takeRecords } from './copy.ts';
import { continuationOf } from './divergence.ts';
import { EPOCHS_MAX, foreignRefusal, INVALID_HELLO, spanOf, spanOfLog } from './hello.ts';
import { Silence } from './silence.ts';
import type { LeaderStream } from './stream.ts';
import type { ReplicationSettings } from './times.ts';

/** What a member that is to lead catches up with. */
export interface LeaderCatchUpOptions {
  readonly cluster: string;
  readonly shard: string;
  /** `brokerId` of this member. */
  readonly member: number;
  /** What this member has. */
  readonly copy: FollowerCopy;
  /** Other members that had all that was confirmed when this one ran last: one of them is waited for. */
  readonly members: readonly number[];
  /** Longest wait for one of them; what is under way then is finished. Milliseconds. */
  readonly waitMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: ReplicationSettings;
}

/** How a catching up has ended. */
export interface CaughtUp {
  /** Highest epoch that somebody has followed or led: who leads now needs a higher one. */
  readonly epochSeen: number;
  /** Some member has answered that had all that was confirmed. */
  readonly isComplete: boolean;
}

/** Records of one message of a follower at most, as its leader's port takes no long ones. Bytes. */
const CHUNK_BYTES_MAX = 512 * 1024;
/** Epochs have 32 bits in a log, and this member needs a higher one than anybody has seen. */
const EPOCH_MAX = 2 ** 32 - 2;
const INVALID_EPOCHS: LeaderMessage_Refusal = {
  reason: Reason.REASON_INVALID,
  message: `at most ${EPOCHS_MAX} epochs may be named, none above ${EPOCH_MAX}`,
};
/** The same follower comes again several times a second: what it lacks is told once. */
const NOT_YET: LeaderMessage_Refusal = {
  reason: Reason.REASON_NOT_LEADER,
  message: 'this member does not lead yet: its machine went down, and it first gets from its slaves what it may lack',
};

/**
 * A member that is to lead by its static role, but may lack what it once had, as its machine went down: from its followers, which
 * call as they always do, it takes what they have more. It follows nobody and cuts nothing: of a log that has gone another way
 * it takes nothing. Any member that was in sync has all that was confirmed, so one of them is enough.
 */
export class LeaderCatchUp {
  readonly #options: LeaderCatchUpOptions;
  readonly #awaited: Set<number>;
  readonly #streams = new Set<LeaderStream>();
  readonly #timers: Timer[] = [];
  readonly #ended = Promise.withResolvers<CaughtUp | undefined>();
  /** Of whom the log has said that their copies went another way. */
  readonly #strangersTold = new Set<number>();
  #epochSeen = 0;
  #isFetching = false;
  #isDue = false;
  #isOver = false;

  constructor(options: LeaderCatchUpOptions) {
    this.#options = options;
    this.#awaited = new Set(options.members);
    this.#fallsDue(options.waitMs);
  }

  /** How it ended; undefined when it was closed before. */
  get ended(): Promise<CaughtUp | undefined> {
    return this.#ended.promise;
  }

  /** Takes from one follower what it has more. Never throws. */
  async accept(stream: LeaderStream): Promise<void> {
    const { logger } = this.#options;
    const silence = new Silence(this.#options, () => stream.close());
    this.#streams.add(stream);
    let fetchedFrom: number | undefined;
    try {
      for await (const message of stream.incoming) {
        silence.broken();
        if (this.#isOver) break;
        if (fetchedFrom === undefined) fetchedFrom = this.#begin(message, stream);
        else if (await this.#take(message)) {
          this.#answered(fetchedFrom);
          break;
        }
        if (fetchedFrom === undefined) break;
      }
    } catch (error) {
      logger.warn({ err: error, member: fetchedFrom }, 'what this member lacks did not come from a slave');
    } finally {
      silence.end();
      stream.close();
      this.#streams.delete(stream);
      if (fetchedFrom !== undefined) this.#isFetching = false;
      this.#endIfDue();
    }
  }

  /** Takes nothing more. Idempotent. */
  close(): void {
    this.#end(undefined);
  }

  /** @returns the member from which something is fetched now; undefined = the stream ends */
  #begin({ hello }: FollowerMessage, stream: LeaderStream): number | undefined {
    const { copy, logger, settings } = this.#options;
    const refusal = hello === undefined ? INVALID_HELLO : this.#refusalOf(hello);
    if (hello === undefined || refusal !== undefined) {
      logger.warn({ member: hello?.member, ...refusal }, 'a follower is refused');
      refuse(stream, refusal ?? INVALID_HELLO);
      return undefined;
    }
    this.#epochSeen = Math.max(this.#epochSeen, epochSeenBy(hello));
    const from = this.#isFetching ? undefined : this.#lackedFrom(hello);
    if (from === undefined) {
      if (!this.#isFetching) this.#answered(hello.member);
      refuse(stream, NOT_YET);
      return undefined;
    }
    this.#isFetching = true;
    logger.warn(
      { member: hello.member, from, to: Number(hello.endOffset), endOffset: copy.replica.endOffset },
      'a slave has what this master lost with its machine: it is fetched',
    );
    const chunkBytes = Math.min(settings.chunkBytes, CHUNK_BYTES_MAX);
    stream.write({ sequence: 1n, epoch: 0n, confirmedOffset: 0n, fetch: { fromOffset: BigInt(from), chunkBytes } });
    return hello.member;
  }

  #refusalOf(hello: FollowerMessage_Hello): LeaderMessage_Refusal | undefined {
    const { cluster, shard, member, copy } = this.#options;
    if (hello.epochs.length > EPOCHS_MAX || epochSeenBy(hello) > EPOCH_MAX) return INVALID_EPOCHS;
    // An empty log takes up any.
    return foreignRefusal(hello, { cluster, shard, member, logId: copy.replica.logId ?? hello.logId });
  }

  /** Where that begins which the follower has and this member has not; undefined = there is nothing that would go on from here. */
  #lackedFrom(hello: FollowerMessage_Hello): number | undefined {
    const { replica } = this.#options.copy;
    const [own, theirs] = [spanOfLog(replica), spanOf(hello)];
    if (theirs.epochs.length === 0) return undefined;
    if (replica.logId === undefined) return theirs.startOffset;
    const { cutOffset, startAnew } = continuationOf(theirs, own);
    if (!startAnew && cutOffset === own.endOffset) return theirs.endOffset > cutOffset ? cutOffset : undefined;
    if (theirs.epochs.at(-1)!.epoch > own.epochs.at(-1)!.epoch) this.#tellStranger(hello, cutOffset);
    return undefined;
  }

  /** Its log has a newer epoch, and yet lacks what is here. */
  #tellStranger({ member, endOffset }: FollowerMessage_Hello, commonOffset: number): void {
    if (this.#strangersTold.has(member)) return;
    this.#strangersTold.add(member);
    this.#options.logger.error(
      { member, commonOffset, its: Number(endOffset), endOffset: this.#options.copy.replica.endOffset },
      'the log of a slave has gone another way than the one of this master, and has a newer epoch: was it led by another member?',
    );
  }

  /** @returns whether that was all. @throws ChunkError */
  async #take({ records }: FollowerMessage): Promise<boolean> {
    if (records === undefined) throw new Error('a message without records');
    if (records.endOffset === records.startOffset) return true;
    const { clock, settings, copy } = this.#options;
    await takeRecords(() => copy, records, { clock, settings, isOver: () => this.#isOver });
    return false;
  }

  #answered(member: number): void {
    if (!this.#awaited.delete(member)) return;
    // Others that are about to call may have still more, where the machine of this one went down, too.
    if (this.#awaited.size > 0) this.#fallsDue(2 * this.#options.settings.graceMs);
    else this.#isDue = true;
  }

  #fallsDue(inMs: number): void {
    const timer = this.#options.clock.setTimer(inMs, () => {
      this.#isDue = true;
      this.#endIfDue();
    });
    this.#timers.push(timer);
  }

  #endIfDue(): void {
    if (!this.#isDue || this.#isFetching) return;
    this.#end({ epochSeen: this.#epochSeen, isComplete: this.#awaited.size < this.#options.members.length });
  }

  #end(how: CaughtUp | undefined): void {
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
    for (const stream of this.#streams) stream.close();
    this.#ended.resolve(how);
  }
}

function epochSeenBy({ epochs, epochSeen }: FollowerMessage_Hello): number {
  return Math.max(Number(epochs.at(-1)?.epoch ?? 0n), Number(epochSeen));
}

function refuse(stream: LeaderStream, refusal: LeaderMessage_Refusal): void {
  stream.write({ sequence: 1n, epoch: 0n, confirmedOffset: 0n, refusal });
}
