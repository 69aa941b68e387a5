import { MqError, quoted } from '@orbitmq/base';
import { type Address, AddressScheme, type Endpoints } from '@orbitmq/protocol/apache.rocketmq.v2';
import { plainHost } from './dialled-host.ts';

const ADDRESSES_MAX = 16;
/** Characters of all hosts together: each queue of a route repeats them. */
const HOSTS_LENGTH_MAX = 1024;
const HOST = /^[^\s\p{Cc}]{1,255}$/u;
const PORT_MAX = 65_535;
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const SCHEMES: ReadonlySet<AddressScheme> = new Set([
  AddressScheme.IPv4,
  AddressScheme.IPv6,
  AddressScheme.DOMAIN_NAME,
]);

/**
 * The endpoints that a client names, as they may be given back to it: to the letter, because clients compare them with
 * their own. Only a scheme is added where there is none.
 * @returns undefined when the client names none
 * @throws MqError ILLEGAL_ACCESS_POINT when nobody can dial them, or there are too many
 */
export function checkedEndpoints(endpoints: Endpoints | undefined): Endpoints | undefined {
  const addresses = endpoints?.addresses ?? [];
  if (addresses.length === 0) return undefined;
  if (addresses.length > ADDRESSES_MAX) throw illegal(`1 to ${ADDRESSES_MAX} addresses`, `${addresses.length}`);
  let length = 0;
  for (const { host, port } of addresses) {
    if (!HOST.test(host)) throw illegal('a host of 1 to 255 characters, none of them blank', quoted(host));
    if (port < 1 || port > PORT_MAX) throw illegal(`a port of 1 to ${PORT_MAX}`, `${port} behind ${quoted(host)}`);
    length += host.length;
  }
  if (length > HOSTS_LENGTH_MAX) throw illegal(`hosts of ${HOSTS_LENGTH_MAX} characters together`, `${length}`);
  const { scheme } = endpoints!;
  return SCHEMES.has(scheme) ? endpoints! : { scheme: schemeOf(addresses), addresses };
}

function schemeOf(addresses: readonly Address[]): AddressScheme {
  const hosts = addresses.map(({ host }) => plainHost(host));
  if (hosts.every((host) => IPV4.test(host))) return AddressScheme.IPv4;
  return hosts.every((host) => host.includes(':')) ? AddressScheme.IPv6 : AddressScheme.DOMAIN_NAME;
}

function illegal(wanted: string, found: string): MqError {
  return new MqError(
    'ILLEGAL_ACCESS_POINT',
    `the endpoints of a request have ${wanted}; found ${found}; give the client its access point as host:port pairs separated by ";"`,
  );
}
