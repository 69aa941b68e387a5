import { MqError, seededRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { SimClock, SimDisk } from '@orbitmq/testkit';
import type { Group, Topic } from '@orbitmq/views';
import {
  type ActingShard,
  type BranchSettlement,
  cutBranch,
  type Delivery,
  type OpenedShard,
  openActing,
  openFollower,
  openShard,
} from './index.ts';

const LOGGER: Logger = { child: () => LOGGER, debug() {}, info() {}, warn() {}, error() {} };
const AWAY = new MqError('HA_NOT_AVAILABLE', 'the master is back');
export const INVISIBLE_MS = 30_000;
export const MASTER = 0;
export const SLAVE = 1;

/** A master and its slave that stands in for it, each with a disk of its own, for tests. */
export class ActingPair {
  readonly clock = new SimClock();
  readonly disks = [0, 1].map((seed) => new SimDisk({ clock: this.clock, random: seededRandom(seed + 1) }));
  #processes = [this.clock.process(), this.clock.process()];
  master!: OpenedShard;
  slave!: ActingShard;
  topic!: Topic;
  group!: Group;
  /** What the slave knows to be confirmed. */
  confirmedOffset = 0;

  async openMaster(holdsDeadLetters = false): Promise<void> {
    const lead = { acknowledge: 'stored' } as const;
    this.master = await this.clock.settle(openShard({ ...this.arguments(MASTER), lead, holdsDeadLetters }));
  }

  async setUp(fields: { orderly?: boolean; retryMaxTimes?: number } = {}): Promise<void> {
    await this.openMaster();
    this.topic = await this.clock.settle(this.master.putTopic(topicConfig()));
    this.group = await this.clock.settle(this.master.putGroup(groupConfig(fields)));
  }

  /** The slave gets all that the master has; of it, so much is known to be confirmed. */
  async copy(confirmedOffset?: number): Promise<void> {
    const follower = await this.clock.settle(openFollower(this.arguments(SLAVE)));
    const { replica } = this.master;
    await this.clock.settle(this.master.settled());
    let position = follower.replica.logId === undefined ? 0 : follower.replica.endOffset;
    for (;;) {
      const chunk = await this.clock.settle(Promise.resolve(replica.readChunk(position, 4096)));
      if (chunk.bytes.length === 0) break;
      follower.receive(chunk);
      position = chunk.endOffset;
    }
    await this.clock.runUntil(() => follower.replica.storedOffset === position);
    this.confirmedOffset = confirmedOffset ?? position;
    follower.confirm(this.confirmedOffset);
    await this.clock.settle(follower.applied(this.confirmedOffset));
    await this.clock.settle(follower.close());
  }

  /** The process of a member is killed. */
  async kill(member: number): Promise<void> {
    this.#processes[member]!.stop();
    this.disks[member] = this.disks[member]!.crash(seededRandom(5));
    this.#processes[member] = this.clock.process();
  }

  async act(): Promise<void> {
    this.slave = await this.clock.settle(openActing(this.arguments(SLAVE), this.confirmedOffset));
  }

  async settlements(commonOffset = this.slave.leadersPart.endOffset): Promise<BranchSettlement[]> {
    await this.clock.settle(this.slave.end(AWAY));
    return await this.clock.settle(Array.fromAsync(this.slave.settlements(commonOffset)));
  }

  /** The master takes what the slave has settled, as if both had the same before. */
  async handOver(): Promise<void> {
    const common = this.slave.leadersPart.endOffset;
    const ownFrom = Math.max(common, this.master.replica.epochs().at(-1)!.startOffset);
    for (const settlement of await this.settlements()) this.master.takeSettlement(settlement, ownFrom);
    await this.clock.settle(this.master.settled());
  }

  async cut(): Promise<void> {
    await this.clock.settle(this.slave.close());
    await this.clock.settle(cutBranch(this.arguments(SLAVE)));
  }

  async receive(shard: OpenedShard, countMax = 32, invisibleMs = INVISIBLE_MS): Promise<Delivery[]> {
    const { group, topic } = this;
    const request = { group, topic, filter: undefined, bytesMax: 1e6, attemptId: undefined };
    return await this.clock.settle(shard.receive({ ...request, countMax, invisibleMs }));
  }

  async acknowledge(shard: OpenedShard, delivery: Delivery): Promise<string> {
    const outcome = shard.acknowledge({ ...delivery, group: this.group, topic: this.topic });
    await this.clock.settle(shard.settled());
    return outcome;
  }

  async acknowledgeAll(shard: OpenedShard, deliveries: readonly Delivery[]): Promise<void> {
    shard.acknowledgeAll(deliveries.map((delivery) => ({ ...delivery, group: this.group, topic: this.topic })));
    await this.clock.settle(shard.settled());
  }

  async send(from: number, count: number): Promise<void> {
    for (let index = from; index < from + count; index++) {
      const message = { system: new Uint8Array(4), rest: Buffer.from(`${index}`.padStart(8, '0')) };
      this.master.send({ topic: this.topic, queueId: 0, tagHash: 0, message });
    }
    await this.clock.settle(this.master.settled());
  }

  arguments(member: number): Parameters<typeof openShard>[0] {
    return {
      vfs: this.disks[member]!,
      clock: this.#processes[member]!,
      random: seededRandom(member + 10),
      logger: LOGGER,
      directory: '/store',
      options: {
        log: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 16384, recordBytesMax: 8192, tailCacheBytes: 65536 },
        diskReserveBytes: 0,
      },
    };
  }
}

export function topicConfig() {
  return {
    name: 'topic',
    readQueueCount: 1,
    writeQueueCount: 1,
    permission: 6,
    messageType: 'MIXED' as const,
    retentionMs: undefined,
    retentionBytes: undefined,
    autoCreated: false,
    attributes: new Map<string, string>(),
  };
}

export function groupConfig({ orderly = false, retryMaxTimes = 16, name = 'group' }) {
  return {
    name,
    consumeEnable: true,
    consumeMessageOrderly: orderly,
    retryMaxTimes,
    retryPolicy: { kind: 'customized' as const, delaysMs: [1000] },
    autoCreated: false,
    attributes: new Map<string, string>(),
  };
}

/** The message's number, as `ActingPair.send` counts. */
export const numberOf = ({ message }: Delivery): number => Number(Buffer.from(message.rest).toString());
export const numbersOf = (deliveries: readonly Delivery[]): number[] => deliveries.map(numberOf);
