import { MqError } from '@orbitmq/base';
import type { Shard } from '@orbitmq/shard';
import { encodeGroupConfig, encodeTopicConfig } from '@orbitmq/views';
import { type GroupDefaults, groupConfigOf } from '../group-request.ts';
import { topicConfigOf } from '../topic-request.ts';
import type { Declaration } from './declaration.ts';

/** What came of a declaration. */
export interface Applied {
  /** Topics and groups that were made. */
  readonly createdCount: number;
  readonly alteredCount: number;
  /** What could not be made or altered now: a sentence each. */
  readonly failures: readonly string[];
}

/**
 * Makes what is declared and missing, and alters what is otherwise; deletes nothing. All of it counts at once, before this returns;
 * it is stored when the promise resolves.
 */
export async function applyDeclaration(shard: Shard, declared: Declaration, defaults: GroupDefaults): Promise<Applied> {
  const { metadata } = shard;
  const work: Promise<'created' | 'altered' | undefined>[] = [];
  for (const request of declared.topics) work.push(putTopic(request));
  for (const request of declared.groups) work.push(putGroup(request));
  const names = [...declared.topics, ...declared.groups].map(({ name }) => name);
  const results = await Promise.allSettled(work);
  const failures = results.flatMap((result, index) => {
    if (result.status === 'fulfilled') return [];
    if (result.reason instanceof MqError) return `${names[index]}: ${result.reason.message}`;
    throw result.reason;
  });
  const countOf = (outcome: string): number =>
    results.filter((result) => result.status === 'fulfilled' && result.value === outcome).length;
  return { createdCount: countOf('created'), alteredCount: countOf('altered'), failures };

  async function putTopic(request: Declaration['topics'][number]) {
    const existing = metadata.topic(request.name);
    const config = topicConfigOf(request, existing);
    if (existing !== undefined && isSame(encodeTopicConfig(config), encodeTopicConfig(existing))) return undefined;
    await shard.putTopic(config);
    return existing === undefined ? 'created' : 'altered';
  }

  async function putGroup(request: Declaration['groups'][number]) {
    const existing = metadata.group(request.name);
    const config = groupConfigOf(request, existing, defaults);
    if (existing !== undefined && isSame(encodeGroupConfig(config), encodeGroupConfig(existing))) return undefined;
    await shard.putGroup(config);
    return existing === undefined ? 'created' : 'altered';
  }
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
