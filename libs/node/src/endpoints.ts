import { AddressScheme, type Endpoints } from '@orbitmq/protocol/apache.rocketmq.v2';

/** One address as clients get it in routes. */
export function endpointsOf(host: string, port: number): Endpoints {
  return { scheme: schemeOf(host), addresses: [{ host, port }] };
}

/** Where others reach a port that listens on `bindAddress`. @param ownHost the machine, as others know it */
export function reachedAt(bindAddress: string, ownHost: string): string {
  return bindAddress === '0.0.0.0' || bindAddress === '::' ? ownHost : bindAddress;
}

/** `host:port`, IPv6 addresses in brackets. */
export function addressOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function schemeOf(host: string): AddressScheme {
  if (host.includes(':')) return AddressScheme.IPv6;
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) ? AddressScheme.IPv4 : AddressScheme.DOMAIN_NAME;
}
