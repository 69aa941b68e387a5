import { environmentName } from './environment.ts';
import type { ConfigKeys, ConfigSpec } from './spec.ts';

/** What `-h` prints. */
export function configReferenceText(spec: ConfigSpec<ConfigKeys>): string {
  const width = Math.max(...Object.keys(spec.keys).map((name) => name.length));
  const keys = Object.entries(spec.keys).map(([name, key]) => {
    const unit = key.unit ? ` ${key.unit}` : '';
    return `  ${name.padEnd(width)}  [${key.defaultText}${key.defaultText && unit}] ${key.description}`;
  });
  const example = Object.keys(spec.keys)[0]!;
  return [
    `usage: ${spec.program} [-c FILE.properties] [-n host:port;host:port] [--key=value …]`,
    '',
    '  -c FILE   properties file with the keys below',
    ...('namesrvAddr' in spec.keys ? ['  -n LIST   name servers, the same as --namesrvAddr'] : []),
    '  -p        prints the configuration and ends',
    '  -h        prints this and ends',
    '',
    `Flags win over environment variables (${environmentName(example)} sets ${example}), these over the file, the file over defaults.`,
    '',
    ...keys,
  ].join('\n');
}
