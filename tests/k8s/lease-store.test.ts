import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '@orbitmq/base';
import { type Lease, LeaseConflict, type LeaseStore, LeaseUnreachable } from '@orbitmq/coordination';
import { kubernetesLeaseStore } from '@orbitmq/coordination/kubernetes';
import { describeLeaseStore } from '@orbitmq/coordination/test-lease-store';
import { Lab, labSkip } from './lab.ts';

const NAMESPACE = 'leases';
const ACCOUNT = 'broker';
/** All that a broker may do. */
const RIGHTS = 'get,create,update';
const TIMEOUT_MS = 1_000;
const FIRST: Lease = {
  holder: 0,
  epoch: 1,
  inSync: [0, 1],
  acknowledge: 'confirmed',
  replicationAddress: 'broker-a-0.broker-a:10912',
  durationMs: 3000,
  heir: undefined,
};

describe('Leases of a real API server', { skip: labSkip }, () => {
  let lab: Lab;
  let directory: string;
  let kubeconfigFile: string;
  let leaseCount = 0;

  before(async () => {
    lab = await Lab.up({ nodes: 1, controlPlaneOnly: true });
    directory = mkdtempSync(join(tmpdir(), 'orbitmq-lease-'));
    kubeconfigFile = join(directory, 'kubeconfig');
    await makeAccount(lab, kubeconfigFile);
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  const connect = (name: string): LeaseStore =>
    kubernetesLeaseStore({ shard: 'broker-a', name, kubeconfigFile, timeoutMs: TIMEOUT_MS, clock: systemClock });

  const open = async () => {
    const name = `orbitmq-broker-a-${++leaseCount}`;
    const [one, other] = [connect(name), connect(name)];
    return {
      name,
      one,
      other,
      [Symbol.asyncDispose]: async () => {
        one.close();
        other.close();
      },
    };
  };

  describeLeaseStore('with the rights of a broker and no others', open);

  it('are all that these rights reach', async () => {
    const can = async (verb: string, what: string): Promise<string> =>
      (await lab.tryKubectl(['--kubeconfig', kubeconfigFile, 'auth', 'can-i', verb, what])).stdout.trim();
    for (const verb of RIGHTS.split(',')) assert.equal(await can(verb, 'leases'), 'yes', verb);
    for (const verb of ['list', 'watch', 'delete', 'patch']) assert.equal(await can(verb, 'leases'), 'no', verb);
    assert.equal(await can('get', 'pods'), 'no');
    assert.equal(await can('get', 'secrets'), 'no');
  });

  it('show people who leads, since when and in which epoch', async () => {
    await using pair = await open();
    await pair.one.write({ ...FIRST, epoch: 7 }, undefined);
    const found = await lab.get<{ spec: Record<string, unknown> }>('lease', pair.name, '-n', NAMESPACE);
    const { holderIdentity, leaseDurationSeconds, leaseTransitions, renewTime } = found.spec;
    assert.deepEqual([holderIdentity, leaseDurationSeconds, leaseTransitions], ['broker-a/0', 3, 7]);
    assert.ok(Math.abs(Date.parse(String(renewTime)) - Date.now()) < 60_000, String(renewTime));
  });

  it('that were deleted do not come back by a renewal', async () => {
    await using pair = await open();
    const first = await pair.one.write(FIRST, undefined);
    await lab.kubectl(['delete', 'lease', pair.name, '-n', NAMESPACE]);
    await assert.rejects(pair.one.write(FIRST, first), LeaseConflict);
    assert.equal(await pair.other.read(), undefined);
  });

  it('that were deleted and made again refuse who knew the old ones', async () => {
    await using pair = await open();
    const first = await pair.one.write(FIRST, undefined);
    await lab.kubectl(['delete', 'lease', pair.name, '-n', NAMESPACE]);
    const second = await pair.other.write({ ...FIRST, holder: 1, epoch: 2 }, undefined);
    await assert.rejects(pair.one.write(FIRST, first), LeaseConflict);
    assert.deepEqual(await pair.one.read(), second);
  });

  it('that people have touched are written over by nobody who has not seen it', async () => {
    await using pair = await open();
    const first = await pair.one.write(FIRST, undefined);
    await lab.kubectl(['annotate', 'lease', pair.name, '-n', NAMESPACE, 'example.com/note=mine']);
    await assert.rejects(pair.one.write(FIRST, first), LeaseConflict);
    const seen = await pair.one.read();
    assert.deepEqual(seen?.lease, FIRST);
    await pair.one.write({ ...FIRST, epoch: 2 }, seen);
  });

  it('cannot be reached while the API server stands still, and can again afterwards', async () => {
    await using pair = await open();
    const first = await pair.one.write(FIRST, undefined);
    const server = lab.pidOf('kube-apiserver');
    process.kill(server, 'SIGSTOP');
    try {
      await assertUnreachableInTime(() => pair.one.read());
      await assertUnreachableInTime(() => pair.one.write({ ...FIRST, epoch: 2 }, first));
    } finally {
      process.kill(server, 'SIGCONT');
    }
    // What was asked meanwhile may be done now: the next write finds it out.
    const seen = await answerOf(() => pair.one.read());
    assert.ok(seen?.lease.epoch === 1 || seen?.lease.epoch === 2, String(seen?.lease.epoch));
    const next = await answerOf(() => pair.one.write({ ...FIRST, epoch: 3 }, seen)).catch((error: unknown) => {
      assert.ok(error instanceof LeaseConflict, String(error));
      return undefined;
    });
    const last = await answerOf(() => pair.other.read());
    assert.equal(last?.lease.epoch, next === undefined ? 2 : 3);
  });

  it('cannot be reached while the API server is gone, and can again afterwards', async () => {
    await using pair = await open();
    const first = await pair.one.write(FIRST, undefined);
    process.kill(lab.pidOf('kube-apiserver'), 'SIGKILL');
    await assertUnreachableInTime(() => pair.one.read());
    assert.deepEqual(await answerOf(() => pair.one.read()), first);
    assert.equal((await pair.one.write({ ...FIRST, epoch: 2 }, first)).lease.epoch, 2);
  });

  it('are refused to who has no rights, and this is said', async () => {
    await using pair = await open();
    await lab.kubectl(['delete', 'rolebinding', ACCOUNT, '-n', NAMESPACE]);
    try {
      const refused = (error: unknown): boolean => error instanceof LeaseUnreachable && /403/.test(error.message);
      // Caches of the authorizer follow within a moment.
      await refusalOf(() => pair.one.read(), refused);
      await assert.rejects(pair.one.write(FIRST, undefined), refused);
    } finally {
      await bind(lab);
    }
  });
});

async function makeAccount(lab: Lab, kubeconfigFile: string): Promise<void> {
  await lab.kubectl(['create', 'namespace', NAMESPACE]);
  await lab.kubectl(['create', 'serviceaccount', ACCOUNT, '-n', NAMESPACE]);
  await lab.kubectl(['create', 'role', ACCOUNT, '-n', NAMESPACE, `--verb=${RIGHTS}`, '--resource=leases']);
  await bind(lab);
  const token = (await lab.kubectl(['create', 'token', ACCOUNT, '-n', NAMESPACE])).trim();
  const admin = JSON.parse(await lab.kubectl(['config', 'view', '--raw', '-o', 'json'])) as {
    clusters: readonly { cluster: Record<string, string> }[];
  };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'lab', cluster: admin.clusters[0]!.cluster }],
    users: [{ name: ACCOUNT, user: { token } }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: ACCOUNT, namespace: NAMESPACE } }],
    'current-context': 'lab',
  };
  // JSON is YAML.
  writeFileSync(kubeconfigFile, JSON.stringify(config));
}

async function bind(lab: Lab): Promise<void> {
  const subject = `--serviceaccount=${NAMESPACE}:${ACCOUNT}`;
  await lab.kubectl(['create', 'rolebinding', ACCOUNT, '-n', NAMESPACE, `--role=${ACCOUNT}`, subject]);
}

/** The store gives up at its own timeout, whatever the server does. */
async function assertUnreachableInTime(work: () => Promise<unknown>): Promise<void> {
  const startedMs = performance.now();
  await assert.rejects(work(), LeaseUnreachable);
  assert.ok(performance.now() - startedMs < TIMEOUT_MS * 10, `${performance.now() - startedMs} ms`);
}

/** Asks until there is an answer. */
async function answerOf<Answer>(work: () => Promise<Answer>, patienceMs = 60_000): Promise<Answer> {
  const endMs = performance.now() + patienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof LeaseUnreachable) || performance.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Asks until it is refused as wanted. */
async function refusalOf(
  work: () => Promise<unknown>,
  isWanted: (error: unknown) => boolean,
  patienceMs = 30_000,
): Promise<void> {
  const endMs = performance.now() + patienceMs;
  for (;;) {
    const refusal: unknown = await work().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (isWanted(refusal)) return;
    assert.ok(performance.now() < endMs, `not refused: ${String(refusal)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
