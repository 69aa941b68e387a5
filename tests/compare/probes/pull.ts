import { FilterType, QueryOffsetPolicy } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Probe } from '../probe.ts';
import { duration, queueOf, resource } from '../requests.ts';

/** PullMessage, QueryOffset, GetOffset and UpdateOffset, which no official client calls. */
const pull: Probe = {
  id: 'pull.calls',
  topics: { topic: { type: 'NORMAL', readQueueCount: 1, writeQueueCount: 1 } },
  groups: { group: {} },
  run: async (world) => {
    const group = resource(world.name('group'));
    const client = await world.consumer(group.name, world.name('topic'));
    await world.send(client, world.name('topic'));
    const messageQueue = queueOf(world.name('topic'), world.target.brokerName);
    const pulled = await client.stream('pullMessage', {
      group,
      messageQueue,
      offset: 0n,
      batchSize: 1,
      filterExpression: { type: FilterType.TAG, expression: '*' },
      longPollingTimeout: duration(5_000),
    });
    const queried = await client.call('queryOffset', { messageQueue, queryOffsetPolicy: QueryOffsetPolicy.END });
    const updated = await client.call('updateOffset', { group, messageQueue, offset: 1n });
    const got = await client.call('getOffset', { group, messageQueue });
    return {
      PullMessage: pulled.code,
      QueryOffset: { code: queried.code, offset: Number(queried.response?.offset ?? -1) },
      UpdateOffset: updated.code,
      GetOffset: { code: got.code, offset: Number(got.response?.offset ?? -1) },
    };
  },
};

/** The calls of consumers that keep their own positions. */
export const pullProbes: readonly Probe[] = [pull];
