import { networkInterfaces } from 'node:os';

/** The first address of this machine that others may reach: IPv4 before IPv6, loopback only when there is nothing else. */
export function localAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outside = addresses.filter((entry) => !entry.internal && !entry.address.startsWith('fe80:'));
  const chosen = outside.find((entry) => entry.family === 'IPv4') ?? outside[0];
  return chosen?.address ?? '127.0.0.1';
}
