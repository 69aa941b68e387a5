import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@orbitmq/base';
import { kubernetesLeaseStore } from '@orbitmq/coordination/kubernetes';
import { describeLeaseStore } from '@orbitmq/coordination/test-lease-store';
import { LeaseApi } from '../lease-api.ts';

describeLeaseStore('over HTTP, as Kubernetes objects', async () => {
  const api = await LeaseApi.start();
  const directory = mkdtempSync(join(tmpdir(), 'orbitmq-lease-'));
  const kubeconfigFile = api.writeKubeconfig(join(directory, 'kubeconfig'));
  const connect = () =>
    kubernetesLeaseStore({ shard: 'broker-a', name: 'orbitmq-broker-a', kubeconfigFile, clock: systemClock });
  const [one, other] = [connect(), connect()];
  return {
    one,
    other,
    [Symbol.asyncDispose]: async () => {
      one.close();
      other.close();
      await api[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
});
