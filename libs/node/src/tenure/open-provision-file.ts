import { systemClock } from '@orbitmq/base';
import { ConfigError, textFiles } from '@orbitmq/runtime';
import type { BrokerContext } from '../broker-context.ts';
import { GROUP_DEFAULTS } from './group-defaults.ts';
import { ProvisionFile } from './provision-file.ts';

/** The file that `provisionFile` names, read; undefined when it names none. @throws ConfigError with everything that is wrong */
export async function openProvisionFile({
  config,
  logger,
  lifecycle,
}: BrokerContext): Promise<ProvisionFile | undefined> {
  if (config.provisionFile === undefined) return undefined;
  const file = new ProvisionFile({
    path: config.provisionFile,
    read: (path) => textFiles.read(path),
    groupDefaults: GROUP_DEFAULTS,
    clock: systemClock,
    logger: logger.child({ module: 'provision' }),
    onFatal: (error) => lifecycle.fatal(error, 'an unexpected error with the provision file ends the process'),
  });
  const problems = await file.load();
  if (problems.length > 0) throw new ConfigError('provisionFile', problems);
  return file;
}
