import { environmentName } from './environment.ts';
import type { ConfigKeys, ConfigSpec, LoadedConfig } from './spec.ts';

/** The configuration as it runs, a `key=value` a line in the order of the schema, secrets masked. */
export function describeConfig<Keys extends ConfigKeys>(spec: ConfigSpec<Keys>, loaded: LoadedConfig<Keys>): string {
  return Object.entries(maskedConfig(spec, loaded))
    .map(([key, value]) => `${key}=${value}`)
    .join('\n');
}

/** The configuration as texts by key, secrets masked: for the log at the start, and for administrators. */
export function maskedConfig<Keys extends ConfigKeys>(
  spec: ConfigSpec<Keys>,
  loaded: LoadedConfig<Keys>,
): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, key] of Object.entries(spec.keys)) {
    const value: unknown = loaded.config[name];
    if (value === undefined || value === '') texts[name] = '';
    else if (key.secret) texts[name] = '******';
    else texts[name] = Array.isArray(value) ? value.join(';') : String(value);
  }
  return texts;
}

/** A Markdown page of all keys, for `docs/reference`. */
export function configReference(spec: ConfigSpec<ConfigKeys>): string {
  const rows = Object.entries(spec.keys).map(([name, key]) => {
    const accepts = key.unit ? `${key.accepts} (${key.unit})` : key.accepts;
    return `| \`${name}\` | ${key.defaultText === '' ? '–' : `\`${key.defaultText}\``} | ${accepts} | \`${environmentName(name)}\` | ${key.description} |`;
  });
  const ignored = [...spec.withoutEffect].map(([name, reason]) => `| \`${name}\` | ${reason} |`);
  return [
    `## ${spec.program}`,
    '',
    '| Key | Default | Accepts | Variable | Meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    ...(ignored.length === 0
      ? []
      : [`### Accepted by ${spec.program} without effect`, '', '| Key | Why |', '| --- | --- |', ...ignored, '']),
  ].join('\n');
}
