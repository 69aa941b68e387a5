import { systemClock } from '@orbitmq/base';
import type { NameServers } from '@orbitmq/client';
import type { BrokerContext } from '../broker-context.ts';
import { clusterSettings } from './cluster-settings.ts';
import { GROUP_DEFAULTS } from './group-defaults.ts';
import { TopicCopy } from './topic-copy.ts';

/** What a new broker does about the topics of its cluster; without name servers it has none. */
export function openTopicCopy({ config, logger, lifecycle }: BrokerContext, nameServers: NameServers): TopicCopy {
  return new TopicCopy({
    what: nameServers.all.length === 0 ? 'none' : config.copyTopicsOnJoin,
    ask: () => clusterSettings(nameServers, config),
    groupDefaults: GROUP_DEFAULTS,
    clock: systemClock,
    logger: logger.child({ module: 'join' }),
    onFatal: (error) => lifecycle.fatal(error, 'an unexpected error while topics were copied ends the process'),
  });
}
