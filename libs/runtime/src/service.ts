import { type CommandLine, parseCommandLine } from './config/command-line.ts';
import { maskedConfig } from './config/document.ts';
import { ConfigError, type ConfigKeys, type ConfigOf, type ConfigSpec } from './config/spec.ts';
import { createHealth, type Health } from './health.ts';
import { Lifecycle, StoppingError } from './lifecycle.ts';
import type { Logger } from './logger.ts';
import { createLogger, type LogLevel } from './pino-logger.ts';

/** What a service's composition gets. */
export interface ServiceContext<Keys extends ConfigKeys> {
  readonly config: ConfigOf<Keys>;
  /** The configuration as texts, secrets masked: for administrators. */
  readonly configTexts: Readonly<Record<string, string>>;
  readonly logger: Logger;
  readonly health: Health;
  readonly lifecycle: Lifecycle;
}

/** Exit code for a command line or configuration that can't be used (`EX_CONFIG`). */
const EXIT_CONFIG = 78;

/**
 * Runs a service from its command line to its end: reads the configuration, opens the parts, and stops on signals.
 * The whole `main` of an app.
 * @param compose opens all parts through `context.lifecycle`; the service is ready when it resolves
 */
export async function runService<Keys extends ConfigKeys & { logLevel: ConfigKeys[string] }>(
  spec: ConfigSpec<Keys>,
  compose: (context: ServiceContext<Keys>) => Promise<void>,
): Promise<void> {
  const command = readCommandLine(spec);
  if (command === undefined) return;
  const { config, warnings } = command.loaded;
  const configTexts = maskedConfig(spec, command.loaded);
  const logger = createLogger({
    level: config.logLevel as LogLevel,
    fields: { service: spec.program, pid: process.pid },
  });
  const health = createHealth();
  const lifecycle = new Lifecycle({ logger, health });
  lifecycle.handleProcessEvents();
  logger.info({ config: configTexts, node: process.version }, 'starting');
  for (const warning of warnings) logger.warn({ module: 'config' }, warning);
  try {
    await compose({ config, configTexts, logger, health, lifecycle });
    lifecycle.started();
  } catch (error) {
    if (error instanceof StoppingError) return;
    await lifecycle.stop();
    if (error instanceof ConfigError) {
      process.stderr.write(`${error.message}\n`);
      process.exit(EXIT_CONFIG);
    }
    lifecycle.fatal(
      error,
      `${spec.program} could not start: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function readCommandLine<Keys extends ConfigKeys>(
  spec: ConfigSpec<Keys>,
): (CommandLine<Keys> & { action: 'run' }) | undefined {
  try {
    const command = parseCommandLine(spec, process.argv.slice(2));
    if (command.action === 'run') return command;
    process.stdout.write(`${command.text}\n`);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = EXIT_CONFIG;
  }
  return undefined;
}
