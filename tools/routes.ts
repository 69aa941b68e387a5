import { setTimeout as sleep } from 'node:timers/promises';
import { Role, RouteServiceDefinition } from '@orbitmq/protocol/orbitmq.route.v1';
import { createRpcClient, type RpcClient, RpcError } from '@orbitmq/rpc';

/**
 * Waits until a name server shows the masters of brokers.
 * @param address `host:port` of orbitmq.route.v1
 * @throws Error naming the brokers that are still missing after `deadlineMs`
 */
export async function waitForBrokers(
  address: string,
  brokerNames: readonly string[],
  deadlineMs: number,
): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  const client = createRpcClient({ addresses: [address], tls: undefined, reconnectPauseMsMax: 100 });
  try {
    for (;;) {
      const missing = await brokersMissing(client, brokerNames);
      if (missing.length === 0) return;
      if (performance.now() > endMs) {
        throw new Error(`the name server ${address} does not show ${missing.join(', ')} after ${deadlineMs} ms`);
      }
      await sleep(25);
    }
  } finally {
    client.close();
  }
}

async function brokersMissing(client: RpcClient, wanted: readonly string[]): Promise<string[]> {
  try {
    const response = await client.unary(RouteServiceDefinition, 'getCluster', {}, { timeoutMs: 2_000 });
    const masters = response.brokers.filter(
      ({ connected, identity }) => connected && identity?.role === Role.ROLE_MASTER,
    );
    const shown = masters.map(({ identity }) => identity?.brokerName);
    return wanted.filter((name) => !shown.includes(name));
  } catch (error) {
    if (error instanceof RpcError) return [...wanted];
    throw error;
  }
}
