import {
  BrokerAdminDefinition,
  type BrokerLiteInfoResponse,
  type ConsumerProgressResponse,
  type FindMessagesRequest,
  type FindMessagesResponse,
  type GetDrainResponse,
  type GetReplicationResponse,
  type Group,
  type ListClientsResponse,
  type LiteClientInfoRequest,
  type LiteClientInfoResponse,
  type LiteGroupInfoRequest,
  type LiteGroupInfoResponse,
  type LiteTopicInfoResponse,
  type ParentTopicInfoResponse,
  type PutGroupRequest,
  type PutGroupResponse,
  type PutTopicRequest,
  type PutTopicResponse,
  type ReadMessagesRequest,
  type ReadMessagesResponse,
  type RedriveDeadLettersRequest,
  type RedriveDeadLettersResponse,
  ReplicationAdminDefinition,
  type SetOffsetsRequest,
  type SetOffsetsResponse,
  type TellStoryRequest,
  type TellStoryResponse,
  type TimedMessage,
  type Topic,
  type TopicReader,
  type TopicStatusResponse,
  type Transaction,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import { type ClientTls, createRpcClient, type RpcClient } from '@orbitmq/rpc';

export interface AdminClientOptions {
  /** `host:port` of the broker's admin service. */
  readonly address: string;
  /** Plain text when undefined. */
  readonly tls?: ClientTls | undefined;
  /** Default 5000. Milliseconds. */
  readonly timeoutMs?: number;
}

/** The largest message there can be, and what is told about it. */
const ANSWER_BYTES_MAX = 80 * 1024 * 1024;

/** Operators' calls to one broker. All of them throw RpcError with the broker's own text. */
export class AdminClient {
  readonly #rpc: RpcClient;
  readonly #options: { readonly timeoutMs: number };
  /** Queries may read much of the log. */
  readonly #queryOptions: { readonly timeoutMs: number };

  constructor(options: AdminClientOptions) {
    this.#rpc = createRpcClient({
      addresses: [options.address],
      tls: options.tls,
      receiveMessageBytesMax: ANSWER_BYTES_MAX,
    });
    this.#options = { timeoutMs: options.timeoutMs ?? 5000 };
    this.#queryOptions = { timeoutMs: 6 * this.#options.timeoutMs };
  }

  /** How the member of a shard stands. @param attest the leader also compares the state of its followers with its own */
  replication(attest: boolean): Promise<GetReplicationResponse> {
    return this.#rpc.unary(ReplicationAdminDefinition, 'getReplication', { attest }, this.#options);
  }

  /** @param member undefined = any in-sync one @returns why it was not done; empty when it was */
  async handOver(member: number | undefined): Promise<string> {
    const options = { timeoutMs: 3 * this.#options.timeoutMs };
    return (await this.#rpc.unary(ReplicationAdminDefinition, 'handOver', { member }, options)).refusal;
  }

  /** @returns why it was not done; empty when it was */
  async takeUncleanly(): Promise<string> {
    return (await this.#rpc.unary(ReplicationAdminDefinition, 'takeUncleanly', {}, this.#options)).refusal;
  }

  putTopic(request: PutTopicRequest): Promise<PutTopicResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'putTopic', request, this.#options);
  }

  async deleteTopic(name: string): Promise<void> {
    await this.#rpc.unary(BrokerAdminDefinition, 'deleteTopic', { name }, this.#options);
  }

  async topic(name: string): Promise<Topic> {
    return (await this.#rpc.unary(BrokerAdminDefinition, 'getTopic', { name }, this.#options)).topic!;
  }

  async topics(): Promise<Topic[]> {
    const found: Topic[] = [];
    for (;;) {
      const request = { after: found.at(-1)?.name ?? '', limit: 0 };
      const page = await this.#rpc.unary(BrokerAdminDefinition, 'listTopics', request, this.#options);
      found.push(...page.topics);
      if (!page.more || page.topics.length === 0) return found;
    }
  }

  topicStatus(name: string): Promise<TopicStatusResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'topicStatus', { name }, this.#options);
  }

  putGroup(request: PutGroupRequest): Promise<PutGroupResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'putGroup', request, this.#options);
  }

  async deleteGroup(name: string): Promise<void> {
    await this.#rpc.unary(BrokerAdminDefinition, 'deleteGroup', { name }, this.#options);
  }

  async group(name: string): Promise<Group> {
    return (await this.#rpc.unary(BrokerAdminDefinition, 'getGroup', { name }, this.#options)).group!;
  }

  async groups(): Promise<Group[]> {
    const found: Group[] = [];
    for (;;) {
      const request = { after: found.at(-1)?.name ?? '', limit: 0 };
      const page = await this.#rpc.unary(BrokerAdminDefinition, 'listGroups', request, this.#options);
      found.push(...page.groups);
      if (!page.more || page.groups.length === 0) return found;
    }
  }

  /** @param topic empty = all topics of the group */
  consumerProgress(group: string, topic: string): Promise<ConsumerProgressResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'consumerProgress', { group, topic }, this.#options);
  }

  /** One page: see `offset`, `limit` and `more`. */
  redriveDeadLetters(request: RedriveDeadLettersRequest): Promise<RedriveDeadLettersResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'redriveDeadLetters', request, this.#options);
  }

  setOffsets(request: SetOffsetsRequest): Promise<SetOffsetsResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'setOffsets', request, this.#options);
  }

  findMessages(request: FindMessagesRequest): Promise<FindMessagesResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'findMessages', request, this.#queryOptions);
  }

  readMessages(request: ReadMessagesRequest): Promise<ReadMessagesResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'readMessages', request, this.#queryOptions);
  }

  tellStory(request: TellStoryRequest): Promise<TellStoryResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'tellStory', request, this.#queryOptions);
  }

  consumers(group: string): Promise<ListClientsResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'listConsumers', { group }, this.#options);
  }

  /** @param topic empty = producers of all topics */
  producers(topic: string): Promise<ListClientsResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'listProducers', { topic }, this.#options);
  }

  /**
   * Timed messages of a topic that wait, or after `cancel` those that were cancelled, in no particular order.
   * @param which only those with this id and this key; empty = any
   * @param countMax looks no further when it has so many
   */
  async timedMessages(
    what: 'list' | 'cancel',
    which: { readonly topic: string; readonly messageId: string; readonly key: string },
    countMax: number,
  ): Promise<TimedMessage[]> {
    const found: TimedMessage[] = [];
    const method = what === 'list' ? 'listTimedMessages' : 'cancelTimedMessages';
    for (let position = 0n; ; ) {
      const request = { selection: { ...which, position, limit: 0 } };
      const page = await this.#rpc.unary(BrokerAdminDefinition, method, request, this.#options);
      found.push(...page.messages);
      if (page.next === undefined || found.length >= countMax) return found;
      position = page.next;
    }
  }

  /**
   * Open transactions of a topic, the oldest first.
   * @param countMax looks no further when it has so many
   */
  async transactions(topic: string, countMax: number): Promise<Transaction[]> {
    const found: Transaction[] = [];
    for (let after = 0n; ; after = found.at(-1)!.id) {
      const request = { topic, after, limit: 0 };
      const page = await this.#rpc.unary(BrokerAdminDefinition, 'listTransactions', request, this.#options);
      found.push(...page.transactions);
      if (!page.more || found.length >= countMax) return found;
    }
  }

  async endTransaction(topic: string, { id, slot }: Transaction, commit: boolean): Promise<void> {
    await this.#rpc.unary(BrokerAdminDefinition, 'endTransaction', { topic, id, slot, commit }, this.#options);
  }

  brokerLiteInfo(): Promise<BrokerLiteInfoResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'brokerLiteInfo', {}, this.#options);
  }

  parentTopicInfo(topic: string): Promise<ParentTopicInfoResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'parentTopicInfo', { topic }, this.#options);
  }

  liteTopicInfo(topic: string, liteTopic: string): Promise<LiteTopicInfoResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'liteTopicInfo', { topic, liteTopic }, this.#options);
  }

  liteClientInfo(request: LiteClientInfoRequest): Promise<LiteClientInfoResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'liteClientInfo', request, this.#options);
  }

  liteGroupInfo(request: LiteGroupInfoRequest): Promise<LiteGroupInfoResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'liteGroupInfo', request, this.#options);
  }

  async setDrain(draining: boolean, graceMs: number): Promise<void> {
    await this.#rpc.unary(BrokerAdminDefinition, 'setDrain', { draining, graceMs: BigInt(graceMs) }, this.#options);
  }

  /** @param readers groups that read topics on other brokers */
  drain(readers: TopicReader[]): Promise<GetDrainResponse> {
    return this.#rpc.unary(BrokerAdminDefinition, 'getDrain', { readers }, this.#queryOptions);
  }

  async status(): Promise<Map<string, string>> {
    return (await this.#rpc.unary(BrokerAdminDefinition, 'brokerStatus', {}, this.#options)).entries;
  }

  async config(): Promise<Map<string, string>> {
    return (await this.#rpc.unary(BrokerAdminDefinition, 'getConfig', {}, this.#options)).entries;
  }

  /** Closes the connection. Idempotent. */
  close(): void {
    this.#rpc.close();
  }
}
