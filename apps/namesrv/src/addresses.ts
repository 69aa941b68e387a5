import { networkInterfaces } from 'node:os';
import { type Clock, SECOND_MS } from '@orbitmq/base';
import type { ClusterAddress } from '@orbitmq/relay';

/** Interfaces are looked at again after so long. */
const INTERFACES_AGE_MS_MAX = 10 * SECOND_MS;
const PORT = /:(\d{1,5})$/;

/** The addresses of the key `clusterAddresses`. */
export function clusterAddressesOf(text: string): ClusterAddress[] {
  const parts = text.split(';').map((part) => part.trim());
  return parts.filter((part) => part !== '').map(clusterAddressOf);
}

function clusterAddressOf(text: string): ClusterAddress {
  const port = PORT.exec(text);
  if (!port) return { host: text, port: undefined };
  return { host: text.slice(0, port.index), port: Number(port[1]) };
}

/** Gives the IP addresses of this host's interfaces: the same array as long as they are the same. */
export function hostAddresses(clock: Clock): () => readonly string[] {
  let addresses: readonly string[] = [];
  let readMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - readMs < INTERFACES_AGE_MS_MAX) return addresses;
    readMs = nowMs;
    const found = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
    if (found.join() !== addresses.join()) addresses = found;
    return addresses;
  };
}
