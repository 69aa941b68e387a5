import type { GroupDefaults } from '@orbitmq/admin';
import { DEFAULT_RETRY_POLICY, MESSAGING_DEFAULTS } from '@orbitmq/messaging';

/** What a group has that nobody said otherwise about. */
export const GROUP_DEFAULTS: GroupDefaults = {
  retryMaxTimes: MESSAGING_DEFAULTS.retryMaxTimes,
  retryPolicy: DEFAULT_RETRY_POLICY,
};
