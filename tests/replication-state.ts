import { setTimeout as delay } from 'node:timers/promises';
import { AdminClient } from '@orbitmq/client';
import { type GetReplicationResponse, GetReplicationResponse_Role as Role } from '@orbitmq/protocol/orbitmq.admin.v1';
import { RpcError } from '@orbitmq/rpc';
import type { Member } from './cluster.ts';

/** A member that can be asked, wherever it runs. */
export type AskedMember = Pick<Member, 'name' | 'adminPort' | 'logTail'>;

/** How a member stands; undefined while it does not answer. */
export async function replicationOf(member: AskedMember, attest = false): Promise<GetReplicationResponse | undefined> {
  const admin = new AdminClient({ address: `127.0.0.1:${member.adminPort}`, timeoutMs: 2_000 });
  try {
    return await admin.replication(attest);
  } catch (error) {
    if (error instanceof RpcError) return undefined;
    throw error;
  } finally {
    admin.close();
  }
}

/** Waits until a member says what is wanted. @throws Error with what it said last */
export async function waitForReplication(
  member: AskedMember,
  what: string,
  condition: (replication: GetReplicationResponse) => boolean,
  patienceMs = 30_000,
): Promise<GetReplicationResponse> {
  const endMs = performance.now() + patienceMs;
  for (;;) {
    const found = await replicationOf(member);
    if (found !== undefined && condition(found)) return found;
    if (performance.now() > endMs) {
      const said = JSON.stringify(found, (_key, value) => (typeof value === 'bigint' ? Number(value) : value));
      throw new Error(`${member.name}: not ${what} after ${patienceMs} ms; it says ${said}\n${member.logTail()}`);
    }
    await delay(25);
  }
}

/** Waits until a leader counts so many copies in sync. */
export async function waitForInSync(leader: AskedMember, count: number): Promise<void> {
  await waitForReplication(
    leader,
    `${count} in sync`,
    ({ inSync, role }) => role === Role.ROLE_LEADER && inSync.length === count,
  );
}

/** Waits until one of the members leads, in an epoch above `epoch`. */
export async function waitForLeader(members: readonly Member[], epoch = 0n, patienceMs = 30_000): Promise<Member> {
  const endMs = performance.now() + patienceMs;
  for (;;) {
    for (const member of members.filter(({ running }) => running)) {
      const found = await replicationOf(member);
      if (found?.role === Role.ROLE_LEADER && found.epoch > epoch) return member;
    }
    if (performance.now() > endMs) {
      throw new Error(`nobody leads after ${patienceMs} ms:\n${members.map((member) => member.logTail()).join('\n')}`);
    }
    await delay(25);
  }
}

/** Waits until the leader's state and that of all others was compared at one position, and is equal. */
export async function waitForEqualState(leader: AskedMember, others: readonly AskedMember[]): Promise<void> {
  const { endOffset } = await waitForReplication(leader, 'answering', () => true);
  const endMs = performance.now() + 30_000;
  while ((await replicationOf(leader, true)) === undefined) {
    if (performance.now() > endMs) throw new Error(`${leader.name} can't be asked to compare\n${leader.logTail()}`);
    await delay(25);
  }
  for (const other of others) {
    await waitForReplication(
      other,
      'compared with the leader',
      ({ attestedPosition, attestedChecksum, attestedLeaderChecksum }) =>
        attestedPosition >= endOffset && attestedChecksum === attestedLeaderChecksum,
    );
  }
}
