import type { Clock } from '@orbitmq/base';
import type {
  FollowerMessage_Hello,
  FollowerMessage_Position,
  LeaderMessage,
  LeaderMessage_Read,
  LeaderMessage_Refusal_Reason,
} from '@orbitmq/protocol/orbitmq.replication.v1';
import type { Logger } from '@orbitmq/runtime';
import type { LogChunk, ReplicatedLog } from '@orbitmq/storage';
import type { Continuation } from './divergence.ts';
import type { SentRecords } from './encode.ts';
import { SessionReads } from './session-reads.ts';
import type { LeaderStream } from './stream.ts';
import type { ReplicationSettings } from './times.ts';

/** A claim of a follower that can't be true; its stream is closed. */
export class InvalidClaim extends Error {}

/** What a session works with. */
export interface FollowerSessionOptions {
  readonly hello: FollowerMessage_Hello;
  readonly stream: LeaderStream;
  readonly log: ReplicatedLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: ReplicationSettings;
  readonly self: number;
  readonly clientAddress: string;
  /** Members of the in-sync set. */
  members(): readonly number[];
  /** Called when the follower has stored more, or answered. */
  onPosition(): void;
}

/** Heartbeats that are remembered until they are answered. */
const UNANSWERED_MAX = 128;

/** One follower on its stream, as its leader sees it. */
export class FollowerSession {
  readonly member: number;
  readonly incarnation: string;
  readonly version: string;
  /** What this follower reads for its leader. */
  readonly reads: SessionReads;
  readonly #options: FollowerSessionOptions;
  /** Where this stream begins: a copy that starts anew has stored nothing before, and nothing of that is on its way. */
  readonly #beginOffset: number;
  #sentOffset: number;
  #storedOffset = 0;
  #appliedOffset = 0;
  #sequence = 0;
  #confirmedTold = 0;
  #heardMs: number;
  /** Heartbeats that are not answered yet: sequence and time, in turn. */
  readonly #unanswered: number[] = [];
  #answeredMs: number | undefined;
  /** When the follower had all that there was; it is behind since. */
  #caughtUpMs: number;
  #markOffset: number;
  #markMs: number;
  #pumping = false;
  /** What was sent last waits for the follower to take it. */
  #isBlocked = false;
  #heartbeatIsDue = false;
  #closed = false;

  /** @param caughtUpMs when it was last known to have everything, from an earlier stream */
  constructor(options: FollowerSessionOptions, continuation: Continuation, caughtUpMs?: number) {
    const { hello, log, clock } = options;
    this.#options = options;
    this.member = hello.member;
    this.incarnation = hello.incarnation;
    this.version = hello.version;
    this.reads = new SessionReads({
      clock,
      readBytesMax: options.settings.readBytesMax,
      send: (read) => this.#ask(read),
    });
    this.#beginOffset = this.#sentOffset = continuation.cutOffset;
    const nowMs = clock.monotonicMs();
    this.#heardMs = this.#markMs = nowMs;
    this.#caughtUpMs = caughtUpMs ?? nowMs;
    this.#markOffset = log.endOffset;
    this.#send({
      welcome: {
        logId: log.logId ?? '',
        startOffset: BigInt(log.startOffset),
        endOffset: BigInt(log.endOffset),
        cutOffset: BigInt(continuation.cutOffset),
        startAnew: continuation.startAnew,
        member: options.self,
        clientAddress: options.clientAddress,
      },
    });
  }

  /** Everything before is stored by the follower; 0 until it has said so on this stream. */
  get storedOffset(): number {
    return this.#storedOffset;
  }

  get appliedOffset(): number {
    return this.#appliedOffset;
  }

  /** When the newest heartbeat was sent that it has answered; undefined = none yet. */
  get answeredMs(): number | undefined {
    return this.#answeredMs;
  }

  /** When it was last known to have everything. */
  get caughtUpMs(): number {
    return this.#caughtUpMs;
  }

  /** When anything came from it. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** @throws InvalidClaim */
  take(position: FollowerMessage_Position): void {
    const storedOffset = Number(position.storedOffset);
    if (storedOffset > this.#sentOffset || storedOffset < this.#storedOffset) {
      throw new InvalidClaim(
        `it says to have stored everything before ${storedOffset}, was sent everything before ${this.#sentOffset}, and had ` +
          `${this.#storedOffset}`,
      );
    }
    const sequence = Number(position.sequence);
    if (sequence > this.#sequence) throw new InvalidClaim(`it answers message ${sequence} of ${this.#sequence}`);
    this.#storedOffset = storedOffset;
    this.#appliedOffset = Number(position.appliedOffset);
    const nowMs = this.#options.clock.monotonicMs();
    this.#heardMs = nowMs;
    while (this.#unanswered.length > 0 && this.#unanswered[0]! <= sequence) {
      this.#unanswered.shift();
      this.#answeredMs = this.#unanswered.shift();
    }
    if (storedOffset >= this.#markOffset) {
      this.#caughtUpMs = this.#markMs;
      this.#markOffset = this.#options.log.endOffset;
      this.#markMs = nowMs;
    }
    this.#options.onPosition();
    this.pump();
  }

  /** Sends what there is, as far as the follower keeps up. */
  pump(): void {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    void this.#pump();
  }

  /** Tells what is confirmed when no records have said it. */
  tellConfirmed(): void {
    if (this.#confirmedTold < this.#options.log.confirmedOffset) this.heartbeat();
  }

  /** Says that the leader is there; the follower answers. */
  heartbeat(): void {
    if (this.#isBlocked) {
      this.#heartbeatIsDue = true;
      return;
    }
    const { log, clock } = this.#options;
    this.#unanswered.push(this.#sequence + 1, clock.monotonicMs());
    // Of a follower that is stuck only the oldest and the newest matter.
    if (this.#unanswered.length > UNANSWERED_MAX * 2) this.#unanswered.splice(2, 2);
    this.#send({
      heartbeat: {
        startOffset: BigInt(log.startOffset),
        endOffset: BigInt(log.endOffset),
        inSync: [...this.#options.members()],
      },
    });
  }

  refuse(reason: LeaderMessage_Refusal_Reason, message: string): void {
    this.#send({ refusal: { reason, message } });
    this.close();
  }

  close(): void {
    this.#closed = true;
    this.reads.close();
    this.#options.stream.close();
  }

  #ask(read: LeaderMessage_Read): boolean {
    if (this.#isBlocked || this.#closed) return false;
    this.#send({ read });
    return true;
  }

  async #pump(): Promise<void> {
    const { log, settings, logger } = this.#options;
    let ahead: LogChunk | undefined;
    try {
      while (!this.#closed && this.#sentOffset < log.endOffset) {
        if (this.#sentOffset - Math.max(this.#storedOffset, this.#beginOffset) >= settings.windowBytes) break;
        const reading = ahead ?? log.readChunk(this.#sentOffset, settings.chunkBytes);
        const isOnDisk = ahead !== undefined || reading instanceof Promise;
        const chunk = reading instanceof Promise ? await reading : reading;
        ahead = undefined;
        if (this.#closed || chunk.endOffset === this.#sentOffset) break;
        const writing = this.#sendRecords(chunk);
        if (writing === undefined) continue;
        // What lies on the disk is read while the last chunk is on its way; what is in memory grows meanwhile.
        const next = isOnDisk && this.#sentOffset < log.endOffset;
        [ahead] = await Promise.all([next ? log.readChunk(this.#sentOffset, settings.chunkBytes) : undefined, writing]);
      }
    } catch (error) {
      logger.warn({ err: error, member: this.member, from: this.#sentOffset }, 'a follower can not be sent the log');
      this.close();
    } finally {
      this.#pumping = false;
    }
  }

  #sendRecords(chunk: LogChunk): Promise<void> | undefined {
    this.#sentOffset = chunk.endOffset;
    const records: SentRecords = {
      startOffset: BigInt(chunk.startOffset),
      endOffset: BigInt(chunk.endOffset),
      records: chunk.bytes,
      headroomBytes: chunk.headroomBytes,
    };
    return this.#send({ records });
  }

  #send(
    content: Partial<Pick<LeaderMessage, 'welcome' | 'refusal' | 'records' | 'heartbeat' | 'read'>>,
  ): Promise<void> | undefined {
    const { log, stream } = this.#options;
    this.#confirmedTold = log.confirmedOffset;
    const room = stream.write({
      sequence: BigInt(++this.#sequence),
      epoch: BigInt(log.epoch),
      confirmedOffset: BigInt(this.#confirmedTold),
      ...content,
    });
    if (room !== undefined) this.#block(room);
    return room;
  }

  /** Nothing but records goes out to a follower that does not take what was sent, so what waits for it is bounded. */
  #block(room: Promise<void>): void {
    this.#isBlocked = true;
    void room.then(() => {
      this.#isBlocked = false;
      if (this.#closed || !this.#heartbeatIsDue) return;
      this.#heartbeatIsDue = false;
      this.heartbeat();
    });
  }
}
