import { type GetReplicationResponse, GetReplicationResponse_Role as Role } from '@orbitmq/protocol/orbitmq.admin.v1';
import { type AdminContext, onEach, type Target } from '../admin-context.ts';
import { requiredText, wholeNumberOf } from '../options.ts';
import { renderTable } from '../table.ts';
import { type Options, RefusedError, UsageError } from '../usage.ts';
import type { Output } from '../verb.ts';

const ROLES: Readonly<Record<number, string>> = {
  [Role.ROLE_LEADER]: 'MASTER',
  [Role.ROLE_FOLLOWER]: 'SLAVE',
  [Role.ROLE_CHANGING]: 'CHANGING',
};

interface Member {
  readonly target: Target;
  readonly replication: GetReplicationResponse;
}

/** How every member stands, and how far its slaves are. */
export async function haStatus(context: AdminContext, options: Options): Promise<Output> {
  const members = await membersOf(context, options, options.attest === true);
  const rows = members.map(({ target, replication: found }) => ({
    brokerName: target.brokerName,
    brokerId: found.member,
    role: ROLES[found.role] ?? '',
    address: target.address,
    epoch: found.epoch,
    end: found.endOffset,
    confirmed: found.confirmedOffset,
    applied: found.appliedOffset,
    inSync: found.inSync.join(','),
    leader: found.leader ?? '',
    state: stateOf(found),
    note: found.refusal,
  }));
  const columns = [
    'Broker Name',
    'BID',
    'Role',
    'Addr',
    'Epoch',
    'End',
    'Confirmed',
    'Applied',
    'In Sync',
    'Follows',
    'State',
    'Note',
  ];
  return {
    text: renderTable(
      columns,
      rows.map((row) => Object.values(row)),
    ),
    json: members.map(({ replication }) => replication),
  };
}

/** Members of the in-sync set, with what they have stored. */
export async function getSyncStateSet(context: AdminContext, options: Options): Promise<Output> {
  const leaders = leadersOf(await membersOf(context, options, false));
  const rows = leaders.flatMap(({ target, replication }) =>
    replication.inSync.map((member) => {
      const follower = replication.followers.find((each) => each.member === member);
      return {
        brokerName: target.brokerName,
        brokerId: member,
        role: member === replication.member ? 'MASTER' : 'SLAVE',
        stored: follower?.storedOffset ?? replication.storedOffset,
        behindMs: follower?.behindMs ?? 0n,
      };
    }),
  );
  return {
    text: renderTable(
      ['Broker Name', 'BID', 'Role', 'Stored', 'Behind ms'],
      rows.map((row) => Object.values(row)),
    ),
    json: rows,
  };
}

/** Where each epoch of the log begins. */
export async function getBrokerEpoch(context: AdminContext, options: Options): Promise<Output> {
  const leaders = leadersOf(await membersOf(context, options, false));
  const rows = leaders.flatMap(({ target, replication }) =>
    replication.epochs.map(({ epoch, startOffset }) => ({ brokerName: target.brokerName, epoch, startOffset })),
  );
  return {
    text: renderTable(
      ['Broker Name', 'Epoch', 'Start Offset'],
      rows.map((row) => Object.values(row)),
    ),
    json: rows,
  };
}

/** Hands the lead of a broker over, or takes it without regard to the in-sync set. */
export async function electMaster(context: AdminContext, options: Options): Promise<Output> {
  const brokerName = requiredText(options, 'brokerName');
  const heir = wholeNumberOf(options, 'brokerId', 0, 1000);
  const members = await membersOf(context, { ...options, brokerAddr: brokerName, clusterName: undefined }, false);
  const isUnclean = options.unclean === true;
  const asked = isUnclean
    ? members.find(({ replication }) => replication.member === heir)
    : members.find(({ replication }) => replication.role === Role.ROLE_LEADER);
  if (asked === undefined) {
    throw new UsageError(
      isUnclean
        ? `--unclean needs the brokerId of a member that is registered; found ${members.map(({ replication }) => replication.member).join(', ')}`
        : `broker ${brokerName} has no master that could hand over; slaves in sync take over by themselves`,
    );
  }
  const { admin } = asked.target;
  const refusal = await (isUnclean ? admin.takeUncleanly() : admin.handOver(heir));
  if (refusal !== '') throw new RefusedError(`the master of ${brokerName} stays: ${refusal}`);
  const text = isUnclean ? `member ${heir} leads ${brokerName}` : `the lead of ${brokerName} was handed over`;
  return { text, json: { brokerName, brokerId: heir ?? null } };
}

async function membersOf(context: AdminContext, options: Options, attest: boolean): Promise<Member[]> {
  const targets = await context.members(options);
  const answers = await onEach(targets, ({ admin }) => admin.replication(attest));
  return answers.map((replication, index) => ({ target: targets[index]!, replication }));
}

function leadersOf(members: readonly Member[]): Member[] {
  return members.filter(({ replication }) => replication.role === Role.ROLE_LEADER);
}

/** Whether the state of a slave is that of its master, as far as that was compared. */
function stateOf({ attestedPosition, attestedChecksum, attestedLeaderChecksum }: GetReplicationResponse): string {
  if (attestedPosition === 0n) return '';
  return attestedChecksum === attestedLeaderChecksum
    ? `equal at ${attestedPosition}`
    : `DIFFERS at ${attestedPosition}`;
}
