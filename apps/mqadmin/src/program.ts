import { MqError } from '@orbitmq/base';
import { RpcError } from '@orbitmq/rpc';
import { nearestName, processEnvironment, VERSION } from '@orbitmq/runtime';
import { Command, CommanderError } from 'commander';
import { type Options, RefusedError, UsageError } from './usage.ts';
import type { Verb } from './verb.ts';
import { VERBS } from './verbs.ts';

/** Exit codes: done; asked for and not done; not understood. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

const NAME_SERVER_DEFAULT = '127.0.0.1:9876';
const HOLD_MS = 60_000;
const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/;

/** Where a program writes. */
export interface Console {
  out(text: string): void;
  error(text: string): void;
}

/** Runs a command line. @param words arguments behind the program's name @returns the exit code */
export async function run(words: readonly string[], console: Console): Promise<number> {
  const program = programOf(console);
  const [verb] = words;
  if (verb !== undefined && !verb.startsWith('-') && verb !== 'help' && !VERBS.some(({ name }) => name === verb)) {
    console.error(unknownVerb(verb));
    return EXIT.usage;
  }
  try {
    await program.parseAsync([...words], { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    return report(error, console);
  }
}

function programOf(console: Console): Command {
  const program = new Command('mqadmin')
    .description('Administers a cluster of OrbitMQ, with the verbs of RocketMQ.')
    .version(VERSION)
    .helpCommand('help [verb]', 'show the options of a verb')
    .configureOutput({ writeOut: (text) => console.out(text), writeErr: (text) => console.error(text) })
    .exitOverride();
  for (const verb of VERBS) addVerb(program, verb, console);
  return program;
}

function addVerb(program: Command, verb: Verb, console: Console): void {
  const command = program
    .command(verb.name)
    .summary(verb.summary)
    .description(verb.summary)
    .allowExcessArguments(false)
    .copyInheritedSettings(program);
  for (const { flags, description, required } of verb.options) {
    if (required) command.requiredOption(flags, description);
    else command.option(flags, description);
  }
  command
    .option(
      '-n, --namesrvAddr <addresses>',
      `name servers, host:port separated by ";" (NAMESRV_ADDR; ${NAME_SERVER_DEFAULT})`,
    )
    .option('--json', 'answer as JSON')
    .action((options: Options) => perform(verb, options, console));
}

async function perform(verb: Verb, options: Options, console: Console): Promise<void> {
  const addresses = nameServersOf(options);
  const [command, { AdminContext }, { renderJson }] = await Promise.all([
    verb.load(),
    import('./admin-context.ts'),
    import('./table.ts'),
  ]);
  const context = new AdminContext(addresses);
  // Timers of the clock and idle connections don't hold the process: a verb that only waits would end it.
  const holder = setInterval(() => {}, HOLD_MS);
  try {
    const { text, json } = await command(context, options, (line) => console.error(`mqadmin: ${line}\n`));
    console.out(`${options.json === true ? renderJson(json) : text}\n`);
  } finally {
    clearInterval(holder);
    context.close();
  }
}

function nameServersOf(options: Options): string[] {
  const given = options.namesrvAddr;
  const text = typeof given === 'string' ? given : (processEnvironment().get('NAMESRV_ADDR') ?? NAME_SERVER_DEFAULT);
  const addresses = text.split(';').flatMap((part) => part.trim() || []);
  const wrong = addresses.find((address) => !ADDRESS.test(address));
  if (wrong === undefined && addresses.length > 0) return addresses;
  throw new UsageError(`-n takes host:port, several separated by ";"; found ${JSON.stringify(wrong ?? text)}`);
}

function unknownVerb(verb: string): string {
  const nearest = nearestName(
    verb,
    VERBS.map(({ name }) => name),
  );
  const remedy = nearest ? `did you mean ${nearest}?` : '"mqadmin help" lists those there are.';
  return `mqadmin: there is no verb ${JSON.stringify(verb.slice(0, 128))}; ${remedy}\n`;
}

function report(error: unknown, console: Console): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UsageError) {
    console.error(`mqadmin: ${error.message}\n`);
    return EXIT.usage;
  }
  if (error instanceof MqError && error.code === 'PROXY_TIMEOUT') {
    console.error(`mqadmin: ${error.message}. Is one running there? Name others with -n or NAMESRV_ADDR.\n`);
    return EXIT.failed;
  }
  if (error instanceof MqError || error instanceof RefusedError || error instanceof RpcError) {
    console.error(`mqadmin: ${error.message}\n`);
    return EXIT.failed;
  }
  throw error;
}
