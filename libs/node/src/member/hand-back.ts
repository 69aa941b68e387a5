import { type Clock, MqError } from '@orbitmq/base';
import {
  type FollowerIdentity,
  type FollowerStream,
  helloOf,
  offerLog,
  type ReplicationSettings,
  SettlementHandOver,
  type SettlementPeer,
  SettlementRefused,
} from '@orbitmq/replication';
import { RpcError } from '@orbitmq/rpc';
import type { Logger } from '@orbitmq/runtime';
import type { ActingShard } from '@orbitmq/shard';
import { type StandInRules, settlementsForWire } from './stand-in.ts';

/** What a hand-over works with. */
export interface HandBackOptions {
  readonly identity: FollowerIdentity;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: ReplicationSettings;
  connect(address: string): FollowerStream;
  readonly standIn: StandInRules;
  /** What the log was told last of tries that came to nothing; they follow each other quickly. */
  readonly told: { text: string };
}

/** The leader is there. */
export interface BegunHandOver {
  /**
   * Ends the serving, and tells the leader all that was settled.
   * @returns false when the leader went away meanwhile: what was told may be told again
   */
  finish(): Promise<boolean>;
}

/** One try of a member that stood in for its leader to hand over to it. */
export class HandBack {
  readonly #options: HandBackOptions;
  #peer: SettlementPeer | undefined;
  #offer: FollowerStream | undefined;

  constructor(options: HandBackOptions) {
    this.#options = options;
  }

  /**
   * Asks whether a leader is at `address`. A master that does not lead yet, as it lost power, may get from here what it lacks.
   * @param epochSeen highest epoch that this member has led or followed
   * @returns undefined when nobody leads there, or nobody who takes over from this member
   */
  async begin(address: string, acting: ActingShard, epochSeen: number): Promise<BegunHandOver | undefined> {
    const { identity, standIn } = this.#options;
    const hello = helloOf(identity, acting.leadersPart, epochSeen);
    this.#peer = standIn.connect(address);
    const handOver = new SettlementHandOver(this.#peer, hello);
    try {
      const { commonOffset } = await handOver.begin();
      return { finish: () => this.#finish(acting, handOver, commonOffset) };
    } catch (error) {
      if (error instanceof SettlementRefused && error.isNoLeader) {
        const { connect, clock, settings } = this.#options;
        this.#offer = connect(address);
        await offerLog(acting.leadersPart, hello, this.#offer, { clock, settings });
      } else this.#tell(error);
      return undefined;
    }
  }

  /** Ends what is under way. Idempotent. */
  close(): void {
    this.#peer?.close();
    this.#offer?.close();
  }

  async #finish(acting: ActingShard, handOver: SettlementHandOver, commonOffset: number): Promise<boolean> {
    const { identity, logger } = this.#options;
    try {
      await acting.end(masterIsBack(identity.shard));
      const count = await handOver.tell(settlementsForWire(acting.settlements(commonOffset)));
      logger.info({ count, commonOffset }, 'the master is back, and has what was settled in its place');
      return true;
    } catch (error) {
      this.#tell(error);
      return false;
    }
  }

  /** @throws what is neither an answer of the leader nor the lack of one */
  #tell(error: unknown): void {
    const isTemporary = error instanceof RpcError || error instanceof SettlementRefused || error instanceof MqError;
    if (!isTemporary) throw error;
    const { logger, told } = this.#options;
    const text = (error as Error).message;
    const isNews = text !== told.text;
    told.text = text;
    logger[isNews ? 'info' : 'debug'](
      { err: error },
      'what was settled in the place of the master can not be handed over yet',
    );
  }
}

function masterIsBack(brokerName: string): MqError {
  return new MqError('HA_NOT_AVAILABLE', `the master of broker ${brokerName} is back, nothing was stored: try again`);
}
