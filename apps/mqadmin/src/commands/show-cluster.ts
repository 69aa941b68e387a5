import { type GetClusterResponse_Broker, Role } from '@orbitmq/protocol/orbitmq.route.v1';
import { type AdminContext, addressOf, onEach } from '../admin-context.ts';
import { textOf } from '../options.ts';
import { renderTable } from '../table.ts';
import type { Options } from '../usage.ts';
import type { Output } from '../verb.ts';

const NOTHING: ReadonlyMap<string, string> = new Map();

/** All brokers with what they do at the moment. A broker that does not answer is shown without numbers. */
export async function clusterList(context: AdminContext, options: Options): Promise<Output> {
  const clusterName = textOf(options, 'clusterName');
  const all = await context.brokers();
  const brokers = clusterName === undefined ? all : all.filter(({ identity }) => identity!.cluster === clusterName);
  const statuses = await Promise.all(brokers.map((broker) => statusOf(context, broker)));
  const rows = brokers.map((broker, index) => {
    const { identity, connected, topicCount } = broker;
    const status = statuses[index]!;
    return {
      cluster: identity!.cluster,
      brokerName: identity!.brokerName,
      brokerId: identity!.brokerId,
      role: identity!.role === Role.ROLE_MASTER ? 'MASTER' : 'SLAVE',
      address: addressOf(identity!.clientEndpoints),
      version: identity!.version,
      inTps: status.get('putTps')?.split(' ')[0] ?? '',
      outTps: status.get('getTransferredTps')?.split(' ')[0] ?? '',
      topics: topicCount,
      diskRatio: status.get('commitLogDiskRatio') ?? '',
      activated: connected,
      note: noteOf(broker, status),
    };
  });
  const columns = [
    'Cluster Name',
    'Broker Name',
    'BID',
    'Role',
    'Addr',
    'Version',
    'InTPS',
    'OutTPS',
    'Topics',
    'Disk',
    'Activated',
    'Note',
  ];
  // What nobody has anything to say about has no column.
  const shown = columns.length - (rows.every(({ note }) => note === '') ? 1 : 0);
  return {
    text: renderTable(
      columns.slice(0, shown),
      rows.map((row) => Object.values(row).slice(0, shown)),
    ),
    json: rows,
  };
}

function noteOf({ status }: GetClusterResponse_Broker, entries: ReadonlyMap<string, string>): string {
  if (status?.draining) return 'is being drained';
  return entries.get('topicCopy') === 'pending' ? 'takes over topics' : '';
}

/** Running state of brokers as key and value. */
export function brokerStatus(context: AdminContext, options: Options): Promise<Output> {
  return keysAndValues(context, options, ({ admin }) => admin.status());
}

/** Configuration of brokers as key and value; secrets are masked. */
export async function getBrokerConfig(context: AdminContext, options: Options): Promise<Output> {
  const pattern = textOf(options, 'keyPattern');
  const wanted = pattern === undefined ? undefined : pattern.toLowerCase();
  return keysAndValues(context, options, async ({ admin }) => {
    const entries = [...(await admin.config())];
    return new Map(wanted === undefined ? entries : entries.filter(([key]) => key.toLowerCase().includes(wanted)));
  });
}

async function keysAndValues(
  context: AdminContext,
  options: Options,
  ask: Parameters<typeof onEach<Map<string, string>>>[1],
): Promise<Output> {
  const targets = await context.targets(options);
  const answers = await onEach(targets, ask);
  const parts = answers.map((entries, index) => {
    const { brokerName, address } = targets[index]!;
    const width = Math.max(0, ...[...entries.keys()].map((key) => key.length));
    const lines = [...entries]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, value]) => `${key.padEnd(width)} : ${value}`);
    return [`============${brokerName} (${address})============`, ...lines].join('\n');
  });
  const json = Object.fromEntries(answers.map((entries, index) => [targets[index]!.brokerName, entries]));
  return { text: parts.join('\n\n'), json };
}

async function statusOf(
  context: AdminContext,
  broker: GetClusterResponse_Broker,
): Promise<ReadonlyMap<string, string>> {
  if (broker.identity!.adminAddress === '') return NOTHING;
  return context
    .targetOf(broker)
    .admin.status()
    .catch(() => NOTHING);
}
