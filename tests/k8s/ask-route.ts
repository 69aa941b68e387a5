import { AddressScheme, MessagingServiceDefinition } from '@orbitmq/protocol/apache.rocketmq.v2';
import { MessagingClient, resource } from '../e2e/messaging-client.ts';

/**
 * Addresses of brokers that a route gives to who dials an address, as official clients ask for it.
 * @param dialled `host:port`
 * @returns distinct ones, sorted
 */
export async function askRoute(dialled: string, topic: string): Promise<string[]> {
  const [host = '', port = ''] = dialled.split(':');
  const scheme = /^[\d.]+$/.test(host) ? AddressScheme.IPv4 : AddressScheme.DOMAIN_NAME;
  const endpoints = { scheme, addresses: [{ host, port: Number(port) }] };
  using client = new MessagingClient(dialled, 'ask-route');
  const request = { topic: resource(topic), endpoints };
  const options = { metadata: client.metadata, timeoutMs: 10_000 };
  const { messageQueues } = await client.rpc.unary(MessagingServiceDefinition, 'queryRoute', request, options);
  const found = messageQueues.flatMap(({ broker }) => broker?.endpoints?.addresses ?? []);
  return [...new Set(found.map((address) => `${address.host}:${address.port}`))].sort();
}

// In a pod: node ask-route.ts HOST:PORT TOPIC
if (import.meta.main) console.log(JSON.stringify(await askRoute(process.argv[2]!, process.argv[3]!)));
