/** Hosts that mean the machine of whoever says them. `0.0.0.0` and `::` are dialled as loopback, too. */
const LOOPBACK_NAMES: ReadonlySet<string> = new Set(['localhost', '::1', '0.0.0.0', '::']);
const LOOPBACK_IPV4 = /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/;
const MAPPED_IPV4 = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/;
/** Some clients leave the scheme of a URL before the host. */
const URL_SCHEME = /^[a-z][a-z0-9+.-]*:\/{2,3}/;

/**
 * A host as two of them are compared: lower case, without brackets, zone, final dot, and URL scheme; IPv6 in its shortest
 * form, IPv4 within IPv6 as IPv4.
 */
export function plainHost(text: string): string {
  const host = text
    .toLowerCase()
    .replace(URL_SCHEME, '')
    .replace(/^\[|\]$/g, '')
    .replace(/%.*$/, '');
  const mapped = MAPPED_IPV4.exec(host)?.[1];
  if (mapped !== undefined) return mapped;
  if (host.includes(':')) return shortIpv6(host);
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

/** Whether a plain host means the machine of whoever dials it. */
export function isLoopback(host: string): boolean {
  return LOOPBACK_NAMES.has(host) || LOOPBACK_IPV4.test(host) || host.endsWith('.localhost');
}

/** `10.0.0.1` of `10.0.0.1:8081`, plain. */
export function hostOfPeer(peer: string): string {
  return plainHost(peer.slice(0, Math.max(0, peer.lastIndexOf(':'))));
}

function shortIpv6(host: string): string {
  const url = `http://[${host}]/`;
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : host;
}
