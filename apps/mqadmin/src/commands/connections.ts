import { quoted } from '@orbitmq/base';
import type { Client } from '@orbitmq/protocol/orbitmq.admin.v1';
import { type AdminContext, onEach, type Target } from '../admin-context.ts';
import { requiredText, textOf } from '../options.ts';
import { renderTable } from '../table.ts';
import type { Options } from '../usage.ts';
import type { Output } from '../verb.ts';

interface ConnectedClient extends Client {
  /** Brokers that the client is connected to. */
  readonly brokers: string[];
}

/** Clients of a consumer group, and what they subscribe to. */
export async function consumerConnection(context: AdminContext, options: Options): Promise<Output> {
  const group = requiredText(options, 'consumerGroup');
  const clients = await gather(
    await context.targets(options),
    async ({ admin }) => (await admin.consumers(group)).clients,
  );
  if (clients.length === 0) return nobody(`no client of the consumer group ${quoted(group)} is connected`);
  const subscriptions = new Map(
    clients.flatMap((client) => client.subscriptions.map(({ topic, expression }) => [topic, expression] as const)),
  );
  const text = [
    renderClients(clients),
    'Below is subscription:',
    renderTable(['Topic', 'SubExpression'], [...subscriptions]),
  ];
  return { text: text.join('\n\n'), json: clients };
}

/** Producers of a topic; of all topics when none is named. */
export async function producerConnection(context: AdminContext, options: Options): Promise<Output> {
  const topic = textOf(options, 'topic') ?? '';
  const clients = await gather(
    await context.targets(options),
    async ({ admin }) => (await admin.producers(topic)).clients,
  );
  if (clients.length === 0) return nobody(`no producer${topic && ` of the topic ${quoted(topic)}`} is connected`);
  return { text: renderClients(clients), json: clients };
}

async function gather(
  targets: readonly Target[],
  ask: (target: Target) => Promise<readonly Client[]>,
): Promise<ConnectedClient[]> {
  const found = new Map<string, ConnectedClient>();
  const answers = await onEach(targets, ask);
  for (const [index, clients] of answers.entries()) {
    for (const client of clients) {
      const known = found.get(client.clientId);
      if (known) known.brokers.push(targets[index]!.brokerName);
      else found.set(client.clientId, { ...client, brokers: [targets[index]!.brokerName] });
    }
  }
  return [...found.values()].sort((left, right) => (left.clientId < right.clientId ? -1 : 1));
}

function renderClients(clients: readonly ConnectedClient[]): string {
  const rows = clients.map((client) => [
    client.clientId,
    client.clientType,
    client.language,
    client.version,
    client.brokers.join(','),
  ]);
  return renderTable(['ClientId', 'Type', 'Language', 'Version', 'Brokers'], rows);
}

function nobody(text: string): Output {
  return { text, json: [] };
}
