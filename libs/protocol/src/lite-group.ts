/** RocketMQ's attribute of a LITE topic: minutes without a message after which a lite topic goes; −1 = never. */
export const LITE_EXPIRATION_ATTRIBUTE = 'lite.topic.expiration';

/** RocketMQ's attributes of groups that read lite topics. */
export const LITE_GROUP_ATTRIBUTES = {
  bindTopic: 'lite.bind.topic',
  subscriptionModel: 'lite.sub.model',
  resetOffsetExclusive: 'lite.sub.reset.offset.exclusive',
  resetOffsetUnsubscribe: 'lite.sub.reset.offset.unsubscribe',
  clientQuota: 'lite.sub.client.quota',
  clientEventCountMax: 'lite.sub.client.max.event.cnt',
  wildcard: 'lite.sub.wildcard',
} as const;

/** Lite topics that a client subscribes to where its group says nothing of it. */
export const LITE_CLIENT_QUOTA = 2_000;

/** How a group reads the lite topics of its parent topic. */
export interface LiteGroup {
  /** The parent topic; clients of the group read nothing else. */
  readonly bindTopic: string;
  /** A lite topic has one subscriber of the group: the newest. */
  readonly isExclusive: boolean;
  /** Whoever takes a lite topic over from another client begins at its first message. */
  readonly resetsOffsetOnTakeover: boolean;
  /** A lite topic that a client unsubscribes from begins at its first message when it is subscribed to again. */
  readonly resetsOffsetOnUnsubscribe: boolean;
  /** Lite topics that one client may subscribe to, ≥ 0. */
  readonly clientQuota: number;
  /** All clients read all lite topics, also those that come later; they subscribe to no single one. */
  readonly isWildcard: boolean;
}

/** What the attributes of a group say about lite topics; undefined for a group that reads none. */
export function liteGroupOf(attributes: ReadonlyMap<string, string>): LiteGroup | undefined {
  const names = LITE_GROUP_ATTRIBUTES;
  const bindTopic = attributes.get(names.bindTopic);
  if (bindTopic === undefined) return undefined;
  const isTrue = (name: string): boolean => attributes.get(name)?.toLowerCase() === 'true';
  return {
    bindTopic,
    isExclusive: attributes.get(names.subscriptionModel) === 'Exclusive',
    resetsOffsetOnTakeover: isTrue(names.resetOffsetExclusive),
    resetsOffsetOnUnsubscribe: isTrue(names.resetOffsetUnsubscribe),
    clientQuota: Math.max(0, Number(attributes.get(names.clientQuota) ?? LITE_CLIENT_QUOTA)),
    isWildcard: isTrue(names.wildcard),
  };
}
