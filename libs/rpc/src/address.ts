import { isIPv6 } from 'node:net';

const MAPPED_PREFIX = '::ffff:';

/** An IP address in the form that counts and logs use: IPv4 in IPv6 is written as IPv4. */
export function plainAddress(address: string): string {
  return address.startsWith(MAPPED_PREFIX) && address.includes('.') ? address.slice(MAPPED_PREFIX.length) : address;
}

/** `address:port`, IPv6 in brackets. */
export function joinAddress(address: string, port: number): string {
  const plain = plainAddress(address);
  return isIPv6(plain) ? `[${plain}]:${port}` : `${plain}:${port}`;
}
