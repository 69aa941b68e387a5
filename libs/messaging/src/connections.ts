import type { ClientType } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { ClientLanguage } from './caller.ts';
import type { LiteClients } from './lite-clients.ts';
import type { Sessions } from './sessions.ts';

/** One client, for metrics and for the administrator. */
export interface Connection {
  readonly clientId: string;
  readonly clientType: ClientType;
  readonly language: ClientLanguage;
  readonly version: string;
  /** Undefined for producers. */
  readonly group: string | undefined;
  /** Topics that a producer sends to, or a consumer subscribes to, with its expression. */
  readonly topics: readonly { readonly topic: string; readonly expression: string | undefined }[];
  /** Monotonic milliseconds of its last sign of life. */
  readonly lastSeenMs: number;
}

/** A client that reads lite topics, for the administrator. */
export interface LiteReader {
  readonly clientId: string;
  readonly group: string;
  /** The parent. */
  readonly topic: string;
  /** What it subscribes to; changes with it. */
  readonly liteTopics: ReadonlySet<string>;
  /** It reads all lite topics of the parent. */
  readonly isWildcard: boolean;
  /** Monotonic milliseconds of when it last said so. */
  readonly refreshedMs: number;
}

/** All clients that read lite topics. */
export function liteReadersOf(clients: LiteClients): LiteReader[] {
  return Array.from(clients.all(), ({ session, group, topic, subscriber, refreshedMs }) => ({
    clientId: session.clientId,
    group: group.name,
    topic: topic.name,
    liteTopics: subscriber.liteTopics,
    isWildcard: subscriber.isWildcard,
    refreshedMs,
  }));
}

/** All clients that are known. */
export function connectionsOf(sessions: Sessions): Connection[] {
  return Array.from(sessions.all(), ({ clientId, clientType, language, version, group, settings, lastSeenMs }) => ({
    clientId,
    clientType,
    language,
    version,
    group,
    topics: settings?.subscription
      ? settings.subscription.subscriptions.map(({ topic, expression }) => ({
          topic: topic?.name ?? '',
          expression: expression?.expression,
        }))
      : (settings?.publishing?.topics ?? []).map(({ name }) => ({ topic: name, expression: undefined })),
    lastSeenMs,
  }));
}
