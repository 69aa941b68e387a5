import type { ConfigKeys, ConfigSpec } from './spec.ts';

const PREFIX = 'ORBITMQ_';
/** What Kubernetes sets by itself for a Service named orbitmq. */
const SERVICE_LINK = /^ORBITMQ_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)$/;

/** Name of the variable that sets a key: `listenPort` → `ORBITMQ_LISTEN_PORT`, `brokerIP1` → `ORBITMQ_BROKER_IP1`. */
export function environmentName(key: string): string {
  const words = key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/([A-Z])([A-Z][a-z])/g, '$1_$2');
  return PREFIX + words.toUpperCase();
}

/** The process's variables; the only place that reads them. */
export function processEnvironment(): ReadonlyMap<string, string> {
  return new Map(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** Values set by variables, and the variables with our prefix that no key has. RocketMQ's own `NAMESRV_ADDR` counts too. */
export function fromEnvironment<Keys extends ConfigKeys>(
  spec: ConfigSpec<Keys>,
  environment: ReadonlyMap<string, string>,
): { values: Map<string, string>; unknown: string[] } {
  const names = new Map(
    [...Object.keys(spec.keys), ...spec.withoutEffect.keys()].map((key) => [environmentName(key), key]),
  );
  const values = new Map<string, string>();
  const unknown: string[] = [];
  const namesrvAddr = environment.get('NAMESRV_ADDR');
  if (namesrvAddr && 'namesrvAddr' in spec.keys) values.set('namesrvAddr', namesrvAddr);
  for (const [name, value] of environment) {
    if (!name.startsWith(PREFIX)) continue;
    const key = names.get(name);
    if (key !== undefined) values.set(key, value);
    else if (!SERVICE_LINK.test(name)) unknown.push(name);
  }
  return { values, unknown };
}
