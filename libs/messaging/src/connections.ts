import type { ClientType } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { ClientLanguage } from './caller.ts';
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
