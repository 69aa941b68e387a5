import { LITE_CLIENT_QUOTA, POLLING_MS_MAX, RECEIVE_BATCH_SIZE_MAX } from '@orbitmq/protocol';
import { Code, type Settings, type TelemetryCommand } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Group } from '@orbitmq/views';
import { OK_STATUS } from './answers.ts';
import { consumerBackoff, DEFAULT_RETRY_POLICY, producerBackoff } from './backoff.ts';
import { type ClientLanguage, languageOfEnum } from './caller.ts';
import type { MessagingConfig } from './config.ts';
import { liteRulesOf } from './lite-mode.ts';
import { durationOf } from './times.ts';

/**
 * The answer to a client's settings: its own words, and the server's policy filled in. Every consumer gets a retry
 * policy of a kind that its language understands, and whole seconds of long polling.
 * @param group undefined while the consumer's group does not exist
 * @param headerLanguage used when the settings name no language
 */
export function settingsAnswer(
  settings: Settings,
  group: Group | undefined,
  headerLanguage: ClientLanguage,
  config: MessagingConfig,
): TelemetryCommand {
  const named = languageOfEnum(settings.userAgent?.language);
  const language = named === 'OTHER' ? headerLanguage : named;
  const common: Settings = { ...settings, metric: { on: false, endpoints: undefined } };
  if (settings.subscription === undefined) {
    return answer({
      ...common,
      backoffPolicy: producerBackoff(language),
      publishing: {
        topics: settings.publishing?.topics ?? [],
        maxBodySize: config.messageLimits.bodyBytesMax,
        validateMessageType: true,
      },
    });
  }
  const policy = group?.retryPolicy ?? DEFAULT_RETRY_POLICY;
  return answer({
    ...common,
    backoffPolicy: consumerBackoff(policy, group?.retryMaxTimes ?? config.retryMaxTimes, language),
    subscription: {
      ...settings.subscription,
      fifo: group?.consumeMessageOrderly ?? false,
      receiveBatchSize: RECEIVE_BATCH_SIZE_MAX,
      longPollingTimeout: durationOf(POLLING_MS_MAX),
      liteSubscriptionQuota: liteRulesOf(group)?.clientQuota ?? LITE_CLIENT_QUOTA,
      maxLiteTopicSize: config.messageLimits.liteTopicLengthMax,
    },
  });
}

function answer(settings: Settings): TelemetryCommand {
  return { status: { code: Code.OK, message: OK_STATUS.message }, settings };
}
