import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient } from '@orbitmq/client';
import { startApacheCluster } from '../bench/apache/apache-cluster.ts';
import { startCluster } from '../cluster.ts';
import { RemotingAdmin } from './remoting-admin.ts';

/** Topic types of both. */
export type TopicType = 'NORMAL' | 'FIFO' | 'DELAY' | 'TRANSACTION' | 'PRIORITY' | 'MIXED' | 'LITE';

/** A topic that a probe needs. */
export interface TopicWish {
  readonly type: TopicType;
  /** Default 2. */
  readonly readQueueCount?: number;
  /** Default 2. */
  readonly writeQueueCount?: number;
  /** 2 write, 4 read, 6 both; default 6. */
  readonly permission?: number;
}

/** A consumer group that a probe needs. */
export interface GroupWish {
  readonly isFifo?: boolean;
  readonly retryMaxTimes?: number;
  /** A policy of these delays; milliseconds. */
  readonly retryDelaysMs?: readonly number[];
  /** A policy of growing delays; milliseconds. */
  readonly retryExponential?: { readonly initial: number; readonly max: number; readonly multiplier: number };
  readonly isConsumable?: boolean;
  readonly attributes?: Readonly<Record<string, string>>;
  /** Key of the topic whose lite topics the group reads. */
  readonly liteTopicsOf?: string;
}

/** A cluster of one broker that probes are run against. */
export interface CompareTarget {
  readonly name: string;
  /** `host:port` where clients connect. */
  readonly address: string;
  readonly brokerName: string;
  putTopic(name: string, wish: TopicWish): Promise<void>;
  putGroup(name: string, wish: GroupWish): Promise<void>;
  /** Lets clients read the dead letters of a group. */
  openDeadLetters(group: string): Promise<void>;
  stop(): Promise<void>;
}

/** Where halves are asked about, so that probes see it soon. */
const TRANSACTION_CHECK_INTERVAL_MS = 5_000;
const QUEUE_COUNT = 2;
const READ_WRITE = 6;

/** Starts ours: a name server and a broker from source or as they are shipped. */
export async function startOurs(from: 'bundle' | 'source'): Promise<CompareTarget> {
  const cluster = await startCluster({
    from,
    brokerProperties: { transactionCheckInterval: TRANSACTION_CHECK_INTERVAL_MS },
  });
  const broker = cluster.brokers[0]!;
  const admin = new AdminClient({ address: `127.0.0.1:${broker.adminPort}` });
  return {
    name: 'OrbitMQ',
    address: broker.endpoint,
    brokerName: broker.name,
    async putTopic(name, wish) {
      await admin.putTopic({
        name,
        readQueueCount: wish.readQueueCount ?? QUEUE_COUNT,
        writeQueueCount: wish.writeQueueCount ?? QUEUE_COUNT,
        permission: wish.permission ?? READ_WRITE,
        attributesPut: new Map([['message.type', wish.type]]),
        attributesRemoved: [],
      });
    },
    async putGroup(name, wish) {
      const { retryDelaysMs, retryExponential } = wish;
      await admin.putGroup({
        name,
        consumeEnable: wish.isConsumable ?? true,
        consumeMessageOrderly: wish.isFifo ?? false,
        retryMaxTimes: wish.retryMaxTimes,
        retryPolicy: (retryDelaysMs || retryExponential) && {
          customized: retryDelaysMs && { delaysMs: retryDelaysMs.map(BigInt) },
          exponential: retryExponential && {
            initialMs: BigInt(retryExponential.initial),
            maxMs: BigInt(retryExponential.max),
            multiplier: retryExponential.multiplier,
          },
        },
        attributesPut: new Map(Object.entries(wish.attributes ?? {})),
        attributesRemoved: [],
      });
    },
    openDeadLetters: async () => {},
    async stop() {
      admin.close();
      await cluster.stop();
    },
  };
}

/** Starts the original with what it has switched off and we have not: property filters, recalls, lite and MIXED topics. */
export async function startApache(): Promise<CompareTarget> {
  const folder = mkdtempSync(join(tmpdir(), 'apache-rocketmq-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const cluster = await startApacheCluster({
    folder,
    flushDiskType: 'ASYNC_FLUSH',
    isUnderLoad: false,
    brokerProperties: {
      transactionCheckInterval: TRANSACTION_CHECK_INTERVAL_MS,
      enablePropertyFilter: true,
      recallMessageEnable: true,
      enableMixedMessageType: true,
      enableLmq: true,
      enableMultiDispatch: true,
    },
  }).catch((error: unknown) => {
    remove();
    throw error;
  });
  return attachApache(cluster.endpoints, cluster.brokerAddress, async () => {
    await cluster.stop();
    remove();
  });
}

/** The original that runs already. */
export async function attachApache(
  address: string,
  brokerAddress: string,
  stop: () => Promise<void> = async () => {},
): Promise<CompareTarget> {
  const admin = await RemotingAdmin.connect(brokerAddress);
  return {
    name: 'Apache RocketMQ 5.5.0',
    address,
    brokerName: 'broker-a',
    putTopic: (name, wish) =>
      admin.putTopic({
        name,
        readQueueCount: wish.readQueueCount ?? QUEUE_COUNT,
        writeQueueCount: wish.writeQueueCount ?? QUEUE_COUNT,
        permission: wish.permission ?? READ_WRITE,
        attributes: `+message.type=${wish.type}`,
      }),
    putGroup: (name, wish) => admin.putGroup(apacheGroup(name, wish)),
    openDeadLetters: (group) =>
      admin.putTopic({
        name: `%DLQ%${group}`,
        readQueueCount: 1,
        writeQueueCount: 1,
        permission: READ_WRITE,
        attributes: '+message.type=NORMAL',
      }),
    async stop() {
      admin.close();
      await stop();
    },
  };
}

function apacheGroup(groupName: string, wish: GroupWish): Readonly<Record<string, unknown>> {
  const { retryDelaysMs, retryExponential } = wish;
  const policy = retryDelaysMs
    ? { type: 'CUSTOMIZED', customizedRetryPolicy: { next: retryDelaysMs } }
    : { type: 'EXPONENTIAL', exponentialRetryPolicy: retryExponential };
  return {
    groupName,
    consumeEnable: wish.isConsumable ?? true,
    consumeMessageOrderly: wish.isFifo ?? false,
    ...(wish.retryMaxTimes === undefined ? {} : { retryMaxTimes: wish.retryMaxTimes }),
    ...(retryDelaysMs || retryExponential ? { groupRetryPolicy: policy } : {}),
    attributes: Object.fromEntries(Object.entries(wish.attributes ?? {}).map(([key, value]) => [`+${key}`, value])),
  };
}
