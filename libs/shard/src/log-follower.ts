import { assert, MqError } from '@orbitmq/base';
import type { LeadOptions, LogChunk, LogStatistics, RecoveryReport, ReplicatedLog } from '@orbitmq/storage';
import type { Metadata } from '@orbitmq/views';
import type { ComparedChecksum, StateChecksum } from './attestation.ts';
import type { ConfirmedApplier } from './confirmed-applier.ts';
import type { FollowerShard } from './follower-shard.ts';
import type { OpenedShard } from './log-shard.ts';
import type { ViewsReport } from './recovery.ts';
import { type ShardParts, startLeading } from './shard-parts.ts';

/** The parts that a follower is put together from. */
export interface LogFollowerParts {
  readonly shard: ShardParts;
  readonly applier: ConfirmedApplier;
  /** Called after topics or groups have changed. */
  readonly metadataListeners: Set<() => void>;
}

/** A copy of a shard over a commit log that follows another one. */
export class LogFollower implements FollowerShard {
  readonly #shard: ShardParts;
  readonly #applier: ConfirmedApplier;
  readonly #metadataListeners: Set<() => void>;
  #promoting = false;
  #closing: Promise<void> | undefined;

  constructor({ shard, applier, metadataListeners }: LogFollowerParts) {
    this.#shard = shard;
    this.#applier = applier;
    this.#metadataListeners = metadataListeners;
  }

  get replica(): ReplicatedLog {
    return this.#shard.core.log;
  }

  get recovery(): RecoveryReport {
    return this.#shard.core.log.recovery;
  }

  get viewsRecovery(): ViewsReport {
    return this.#shard.viewsRecovery;
  }

  get metadata(): Metadata {
    return this.#shard.core.state.metadata;
  }

  onMetadataChange(listener: () => void): () => void {
    this.#metadataListeners.add(listener);
    return () => this.#metadataListeners.delete(listener);
  }

  get appliedOffset(): number {
    return this.#applier.position;
  }

  get hasBase(): boolean {
    return this.#applier.hasBase;
  }

  receive(chunk: LogChunk): void {
    this.#shard.core.log.receive(chunk);
  }

  confirm(limit: number): void {
    this.#shard.core.log.confirm(limit);
  }

  trim(startOffset: number): void {
    if (startOffset <= this.#shard.core.log.startOffset || !this.hasBase || this.#isOver) return;
    void this.#shard.maintenance.trim(startOffset);
  }

  applied(position: number): Promise<void> {
    return this.#applier.applied(position);
  }

  checksum(): StateChecksum {
    return { position: this.#applier.position, checksum: this.#shard.core.state.checksum() };
  }

  get attested(): ComparedChecksum | undefined {
    return this.#applier.attested;
  }

  get statistics(): LogStatistics {
    return this.#shard.core.log.statistics;
  }

  async snapshot(): Promise<void> {
    if (this.hasBase) await this.#shard.maintenance.snapshot();
  }

  async promote(options: LeadOptions): Promise<OpenedShard> {
    assert(!this.#isOver, 'a follower that is closed or promoted can not be promoted');
    const { log } = this.#shard.core;
    this.#promoting = true;
    await this.#applier.pause();
    try {
      await log.flush();
      // An empty copy begins the shard: that nobody else has more, whoever promotes it knows.
      const isEmpty = log.logId === undefined;
      if (!isEmpty && !(await this.#applier.findBase())) throw noBase(log);
      await log.lead(options);
    } catch (error) {
      this.#promoting = false;
      this.#applier.resume();
      throw error;
    }
    await this.#applier.lead();
    this.#shard.core.state.index.allVisible();
    this.#metadataListeners.clear();
    return startLeading(this.#shard);
  }

  close(): Promise<void> {
    assert(!this.#promoting, 'a follower that was promoted is closed as a leader');
    this.#closing ??= this.#close();
    return this.#closing;
  }

  get #isOver(): boolean {
    return this.#promoting || this.#closing !== undefined;
  }

  async #close(): Promise<void> {
    const { core, keys, maintenance, scrub, release } = this.#shard;
    core.stop();
    scrub.stop();
    try {
      await this.#applier.stop();
      await keys.stop();
      await maintenance.stop(() => this.hasBase);
      await core.state.index.close();
      await core.log.close();
    } finally {
      await release();
    }
  }
}

function noBase({ startOffset, endOffset }: ReplicatedLog): MqError {
  return new MqError(
    'BAD_REQUEST',
    `this copy of the shard holds the log from ${startOffset} to ${endOffset}, but not yet the state with which it begins: it can not become the master`,
  );
}
