import { AddressScheme, type Endpoints } from '@orbitmq/protocol/apache.rocketmq.v2';

/** One address as clients get it in routes. */
export function endpointsOf(host: string, port: number): Endpoints {
  return { scheme: schemeOf(host), addresses: [{ host, port }] };
}

/** `host:port`, IPv6 addresses in brackets. */
export function addressOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function schemeOf(host: string): AddressScheme {
  if (host.includes(':')) return AddressScheme.IPv6;
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) ? AddressScheme.IPv4 : AddressScheme.DOMAIN_NAME;
}
