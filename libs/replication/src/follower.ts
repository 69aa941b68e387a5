import { type Clock, delay, MIB, type Timer } from '@orbitmq/base';
import {
  type LeaderMessage,
  type LeaderMessage_Fetch,
  type LeaderMessage_Records,
  type LeaderMessage_Welcome,
  LeaderMessage_Refusal_Reason as Reason,
} from '@orbitmq/protocol/orbitmq.replication.v1';
import { RpcError } from '@orbitmq/rpc';
import type { Logger } from '@orbitmq/runtime';
import { type FollowerCopy, takeRecords } from './copy.ts';
import { giveBack } from './give-back.ts';
import { type FollowerIdentity, helloOf } from './hello.ts';
import { ReadAnswers } from './read-answers.ts';
import { Silence } from './silence.ts';
import type { FollowerStream } from './stream.ts';
import type { ReplicationSettings } from './times.ts';

/** The copy, and what changes it from outside. `copy` is another one after each change. */
export interface FollowerHost {
  readonly copy: FollowerCopy;
  /** Opens the copy again with nothing behind `offset`. @throws when that is not possible, or would take back what is confirmed */
  cut(offset: number): Promise<void>;
  /** Opens the copy again, empty. */
  startAnew(): Promise<void>;
}

export interface FollowerReplicationOptions {
  readonly identity: FollowerIdentity;
  readonly host: FollowerHost;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: ReplicationSettings;
  /** Begins a stream to the member at `address` (`host:port`). Never throws: a stream that can't be opened ends. */
  connect(address: string): FollowerStream;
  /** A leader has taken this follower, and says where it serves clients. */
  onAccepted(leader: { readonly member: number; readonly epoch: number; readonly clientAddress: string }): void;
  /** This follower has everything that the leader had confirmed. Called once for each stream. */
  onCaughtUp(): void;
  /** A stream ended that had been accepted, or the leader says that it does not lead. */
  onLost(): void;
}

/** What is confirmed and not applied yet, while the leader may send more: far below what a log keeps in memory. Bytes. */
const UNAPPLIED_BYTES_MAX = 4 * MIB;
/** So far behind a copy reads its disk anyway, however long it is waited for. Bytes. */
const LEFT_BEHIND_BYTES = 16 * MIB;
/** Between two looks at how far it is applied. Milliseconds. */
const APPLYING_LOOK_MS = 2;
/** Looks in a row that find no progress, before more is taken all the same. */
const APPLYING_LOOKS_MAX = 25;

/** Ends a stream of which this member wants no more. */
class StreamEnd extends Error {}

/** Follows the leader of a shard, over as many streams as it takes. */
export class FollowerReplication {
  readonly #options: FollowerReplicationOptions;
  #address: string | undefined;
  #epochSeen: number;
  #heard: { readonly epoch: number; readonly atMs: number } | undefined;
  #stream: FollowerStream | undefined;
  #isAccepted = false;
  #hasCaughtUp = false;
  /** What the leader had confirmed when it was heard last. */
  #leaderConfirmedOffset = 0;
  /** What the log has said last about the end of a stream. */
  #endTold = '';
  #endPause = (): void => {};
  #closed = false;
  readonly #ended: Promise<void>;

  constructor(options: FollowerReplicationOptions) {
    this.#options = options;
    this.#epochSeen = options.host.copy.replica.epoch;
    this.#ended = this.#run();
  }

  /** A leader has taken this follower, and the stream is open. */
  get isFollowing(): boolean {
    return this.#isAccepted;
  }

  /** The stream is open, and this copy has everything that its leader has confirmed. */
  get isInSync(): boolean {
    return this.#isAccepted && this.#hasCaughtUp && !this.lacksConfirmed;
  }

  /** Highest epoch that this member knows of. */
  get epochSeen(): number {
    return this.#epochSeen;
  }

  /**
   * The leader has confirmed something that this copy has not: a member in sync never lacks anything of it, so one that does
   * has lost what it had.
   */
  get lacksConfirmed(): boolean {
    return this.#options.host.copy.replica.storedOffset < this.#leaderConfirmedOffset;
  }

  /** When the leader of `epoch` was last heard, by the monotonic clock; undefined = never. */
  heardMs(epoch: number): number | undefined {
    return this.#heard?.epoch === epoch ? this.#heard.atMs : undefined;
  }

  /**
   * Follows whoever is at `address` from now on; undefined = nobody.
   * @param epoch of its tenure, where that is known: older leaders are refused from here on
   */
  follow(address: string | undefined, epoch = 0): void {
    this.#epochSeen = Math.max(this.#epochSeen, epoch);
    if (address === this.#address) {
      this.#endPause();
      return;
    }
    this.#address = address;
    this.#stream?.close();
    this.#endPause();
  }

  /** Ends the stream. When it resolves, the copy is left alone. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stream?.close();
    this.#endPause();
    await this.#ended;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const address = this.#address;
      if (address !== undefined) await this.#followOnce(address);
      if (!this.#closed && address === this.#address) await this.#pause(address !== undefined);
    }
  }

  async #pause(isTimed: boolean): Promise<void> {
    const { clock, settings } = this.#options;
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.#endPause = resolve;
      if (isTimed) timer = clock.setTimer(settings.reconnectMs, resolve);
    });
    timer?.cancel();
    this.#endPause = () => {};
  }

  async #followOnce(address: string): Promise<void> {
    const { connect, host, identity } = this.#options;
    const stream = connect(address);
    this.#stream = stream;
    const silence = new Silence(this.#options, () => stream.close());
    const reads = new ReadAnswers(stream, this.#options.logger);
    let stopListening = (): void => {};
    try {
      stream.write({ hello: helloOf(identity, host.copy.replica, this.#epochSeen), position: undefined });
      for await (const message of stream.incoming) {
        silence.broken();
        if (this.#closed) break;
        if (message.fetch !== undefined && !this.#isAccepted) {
          await this.#giveBack(message.fetch, stream, () => silence.broken());
          continue;
        }
        this.#hear(message);
        if (message.welcome !== undefined) {
          await this.#begin(message.welcome);
          silence.broken();
          stopListening = host.copy.replica.onStored(() => this.#tell(stream, 0n));
          this.#tell(stream, message.sequence);
        } else {
          await this.#take(message, stream);
          if (message.read !== undefined) reads.answer(message.read, host.copy.replica);
        }
      }
    } catch (error) {
      // What this member ended itself is no news.
      if (!this.#closed && address === this.#address) this.#explainEnd(address, error as Error);
    } finally {
      silence.end();
      stopListening();
      stream.close();
      await reads.ended();
      this.#stream = undefined;
      const wasAccepted = this.#isAccepted;
      this.#isAccepted = false;
      if (wasAccepted && !this.#closed) this.#options.onLost();
    }
  }

  #explainEnd(address: string, error: Error): void {
    const { logger } = this.#options;
    const told = `${address} ${error.message}`;
    // Attempts follow each other quickly: what the last one met is no news either.
    const isNews = this.#isAccepted || told !== this.#endTold;
    this.#endTold = told;
    if (error instanceof StreamEnd && isNews) {
      logger.warn({ address, reason: error.message }, 'a stream from the leader is ended');
    } else if (this.#isAccepted) logger.warn({ address, err: error }, 'the stream from the leader has ended');
    else if (!isNews) logger.debug({ address, err: error }, 'the leader can not be followed');
    else if (error instanceof RpcError) logger.info({ address, err: error }, 'the leader can not be followed');
    else logger.warn({ address, err: error }, 'the leader can not be followed');
  }

  /** @throws StreamEnd */
  #hear({ epoch: said, confirmedOffset, refusal }: LeaderMessage): void {
    const epoch = Number(said);
    if (refusal !== undefined) {
      if (refusal.reason === Reason.REASON_NOT_LEADER) this.#options.onLost();
      throw new StreamEnd(`refused: ${refusal.message}`);
    }
    if (epoch < this.#epochSeen) throw new StreamEnd(`its epoch is ${epoch}, but ${this.#epochSeen} has begun`);
    this.#epochSeen = epoch;
    this.#leaderConfirmedOffset = Number(confirmedOffset);
    this.#heard = { epoch, atMs: this.#options.clock.monotonicMs() };
  }

  /** Brings the copy to where the leader goes on. */
  async #begin(welcome: LeaderMessage_Welcome): Promise<void> {
    const { host, identity, logger } = this.#options;
    const { logId, endOffset } = host.copy.replica;
    if (logId !== undefined && logId !== welcome.logId) {
      throw new StreamEnd(`its log ${welcome.logId} is another one than ${logId}`);
    }
    if (welcome.member === identity.member) throw new StreamEnd(`brokerId ${welcome.member} is this member's own`);
    const cutOffset = Number(welcome.cutOffset);
    if (welcome.startAnew) {
      logger.warn(
        { endOffset, leaderStartOffset: cutOffset },
        'this copy of the shard begins anew: the leader has nothing that it goes on from',
      );
      if (endOffset > 0) await host.startAnew();
    } else if (cutOffset < endOffset) {
      logger.warn({ endOffset, cutOffset }, 'this copy of the shard is cut back to what the leader has');
      await host.cut(cutOffset);
    }
    this.#isAccepted = true;
    logger.info({ leader: welcome.member, epoch: this.#epochSeen, address: this.#address }, 'this member follows');
    this.#hasCaughtUp = false;
    this.#options.onAccepted({ member: welcome.member, epoch: this.#epochSeen, clientAddress: welcome.clientAddress });
  }

  async #take(message: LeaderMessage, stream: FollowerStream): Promise<void> {
    if (!this.#isAccepted) throw new StreamEnd('it sent something before its welcome');
    if (message.records !== undefined) await this.#receive(message.records);
    const { copy } = this.#options.host;
    const confirmedOffset = Number(message.confirmedOffset);
    copy.confirm(confirmedOffset);
    if (message.records !== undefined) await this.#applied(copy);
    if (!this.#hasCaughtUp && copy.replica.storedOffset >= confirmedOffset) {
      this.#hasCaughtUp = true;
      this.#options.onCaughtUp();
    }
    if (message.heartbeat === undefined) return;
    copy.trim(Number(message.heartbeat.startOffset));
    this.#tell(stream, message.sequence);
  }

  /** @throws ChunkError, StreamEnd */
  async #receive(records: LeaderMessage_Records): Promise<void> {
    const { clock, settings, host } = this.#options;
    const options = { clock, settings, isOver: () => this.#closed };
    if (await takeRecords(() => host.copy, records, options)) return;
    throw new StreamEnd('this member does not follow any more');
  }

  #giveBack(fetch: LeaderMessage_Fetch, stream: FollowerStream, onGiven: () => void): Promise<void> {
    const { host, settings, logger } = this.#options;
    const { replica } = host.copy;
    logger.warn(
      { address: this.#address, from: Number(fetch.fromOffset), to: replica.storedOffset },
      'the master has lost a part of the log, which this copy gives it back',
    );
    const options = { chunkBytes: settings.chunkBytes, isOver: () => this.#closed, onGiven };
    return giveBack(replica, fetch, stream, options);
  }

  /**
   * Lets a copy that catches up apply what it has before it gets more: later it would have to read its disk for it. A copy that applies
   * nothing for the moment, as it looks for the state with which the log begins, is not waited for; nor is one that has much to read
   * from its disk, as after a crash: its leader hears nothing meanwhile, and sends may wait for what it stores.
   */
  async #applied(copy: FollowerCopy): Promise<void> {
    let { appliedOffset } = copy;
    for (let looks = 0; looks < APPLYING_LOOKS_MAX && !this.#closed; looks++) {
      const unappliedBytes = copy.replica.confirmedOffset - copy.appliedOffset;
      if (unappliedBytes <= UNAPPLIED_BYTES_MAX || unappliedBytes > LEFT_BEHIND_BYTES) return;
      if (copy.appliedOffset > appliedOffset) looks = 0;
      appliedOffset = copy.appliedOffset;
      await delay(this.#options.clock, APPLYING_LOOK_MS);
    }
  }

  #tell(stream: FollowerStream, sequence: bigint): void {
    const { copy } = this.#options.host;
    stream.write({
      hello: undefined,
      position: {
        storedOffset: BigInt(copy.replica.storedOffset),
        appliedOffset: BigInt(copy.appliedOffset),
        sequence,
      },
    });
  }
}
