import { join } from 'node:path';
import { ROOT } from '@orbitmq/tools';
import { waitUntil } from '../interop/child.ts';
import type { CommandOutput, Lab } from './lab.ts';

const CHART = join(ROOT, 'helm', 'orbitmq');
const INSTALL_MS = 180_000;
const ANNOTATION = 'orbitmq.io/';

/** Values of the chart, nested as there. */
export type Values = Readonly<Record<string, unknown>>;

/** What matters of a pod. */
export interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** What the Lease of a shard says. */
export interface ShardLease {
  /** brokerId of the master; undefined while there is none. */
  readonly holder: number | undefined;
  readonly epoch: number;
  readonly inSync: readonly number[];
}

/** An installed chart, in a namespace of its own. */
export class Release {
  /** Of the release and of its namespace. */
  readonly name: string;
  readonly lab: Lab;

  private constructor(lab: Lab, name: string) {
    this.lab = lab;
    this.name = name;
  }

  /** Installs the chart, and waits until all its pods are ready. */
  static async install(lab: Lab, name: string, values: Values): Promise<Release> {
    const release = new Release(lab, name);
    // One of an earlier run may be on its way out.
    await lab.kubectl(['wait', '--for=delete', `namespace/${name}`, '--timeout=120s']);
    const wait = ['--create-namespace', '--wait', '--timeout', `${INSTALL_MS / 1000}s`];
    await lab.helm(['install', name, CHART, '-n', name, '-f', '-', ...wait], {
      input: JSON.stringify(values),
      timeoutMs: INSTALL_MS + 30_000,
    });
    return release;
  }

  /** Upgrades it, and waits until all pods are new and ready. @param values on top of those that it has */
  async upgrade(values: Values, timeoutMs = INSTALL_MS): Promise<void> {
    const wait = ['--reuse-values', '--wait', '--timeout', `${timeoutMs / 1000}s`];
    await this.lab.helm(['upgrade', this.name, CHART, '-n', this.name, '-f', '-', ...wait], {
      input: JSON.stringify(values),
      timeoutMs: timeoutMs + 30_000,
    });
  }

  /** Removes it, but for what the chart leaves. */
  async uninstall(): Promise<void> {
    await this.lab.helm(['uninstall', this.name, '-n', this.name, '--wait', '--timeout', `${INSTALL_MS / 1000}s`]);
  }

  /** Removes it with its namespace and all data, at once. */
  async remove(): Promise<void> {
    await this.kubectl('delete', 'pods', '--all', '--grace-period=0', '--force', '--wait=false');
    await this.lab.kubectl(['delete', 'namespace', this.name, '--wait=false']);
  }

  /** Access point in the cluster. */
  get address(): string {
    return `${this.name}.${this.name}:8081`;
  }

  /** @param args as behind `kubectl` */
  kubectl(...args: string[]): Promise<string> {
    return this.lab.kubectl(['-n', this.name, ...args]);
  }

  /** Runs a verb where operators do. */
  mqadmin(...args: string[]): Promise<CommandOutput> {
    return this.lab.tryKubectl(['-n', this.name, 'exec', `deploy/${this.name}-admin`, '--', 'mqadmin', ...args]);
  }

  /** Its pods that are not on their way out. @param component `name-server`, `broker`, … */
  async pods(component: string): Promise<readonly Pod[]> {
    const selector = `app.kubernetes.io/component=${component}`;
    const { items } = await this.lab.get<{ items: Pod[] }>('pods', '-n', this.name, '-l', selector);
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  /** @throws Error when there is none of that name */
  async pod(name: string): Promise<Pod> {
    return await this.lab.get<Pod>('pod', name, '-n', this.name);
  }

  /** Name of the pod of a member of a shard. */
  podNameOf(shard: string, member: number): string {
    return member === 0 ? `${this.name}-${shard}-0` : `${this.name}-${shard}-s-${member}`;
  }

  async lease(shard = 'broker-a'): Promise<ShardLease> {
    const found = await this.lab.get<{ metadata: { annotations: Record<string, string> } }>(
      'lease',
      `${this.name}-${shard}`,
      '-n',
      this.name,
    );
    const said = (name: string): string => found.metadata.annotations[`${ANNOTATION}${name}`] ?? '';
    return {
      holder: said('holder') === '' ? undefined : Number(said('holder')),
      epoch: Number(said('epoch')),
      inSync: said('in-sync').split(',').filter(Boolean).map(Number),
    };
  }

  /** Waits until all members are in sync. @returns what the Lease says then */
  async allInSync(count = 2, shard = 'broker-a', patienceMs = 120_000): Promise<ShardLease> {
    return await waitUntil(`${count} members of ${shard} in sync`, patienceMs, async () => {
      const lease = await this.lease(shard);
      return lease.holder !== undefined && lease.inSync.length === count ? lease : undefined;
    });
  }

  /** Waits until somebody leads in an epoch above. */
  async leaderAfter(epoch: number, shard = 'broker-a', patienceMs = 60_000): Promise<ShardLease> {
    return await waitUntil(`a leader of ${shard} above epoch ${epoch}`, patienceMs, async () => {
      const lease = await this.lease(shard);
      return lease.holder !== undefined && lease.epoch > epoch ? lease : undefined;
    });
  }

  /** Waits until so many pods of a component are ready. */
  async ready(component: string, count: number, patienceMs = 120_000): Promise<readonly Pod[]> {
    return await waitUntil(`${count} ready pods: ${component}`, patienceMs, async () => {
      const pods = (await this.pods(component)).filter(isReady);
      return pods.length === count ? pods : undefined;
    });
  }
}

/** The pod serves. */
export function isReady({ status }: Pod): boolean {
  return status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
}
