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
  [Role.ROLE_ACTING]: 'ACTING',
};

/** Columns of haStatus. */
const COLUMNS = [
  ...['Broker Name', 'BID', 'Role', 'Addr', 'Epoch', 'Follows', 'End', 'Confirmed', 'Applied', 'Behind', 'In Sync'],
  ...['State', 'Note'],
];
/** So many of them are there whether they say something or not. */
const ALWAYS_COUNT = 11;
/** A comparison of states takes as long as a record takes to the slaves. Milliseconds. */
const ATTEST_MS = 3_000;
const ATTEST_POLL_MS = 50;

/** A member of a broker, and how it says that it stands. */
export interface Member {
  readonly target: Pick<Target, 'brokerName' | 'address'>;
  readonly replication: GetReplicationResponse;
}

interface AskedMember extends Member {
  readonly target: Target;
}

/** How every member stands, and how far slaves are behind their masters. */
export async function haStatus(context: AdminContext, options: Options): Promise<Output> {
  const members = options.attest === true ? await attested(context, options) : await membersOf(context, options, false);
  return { text: haTable(members), json: members.map(({ replication }) => replication) };
}

/** A table of members; what nobody has anything to say about has no column. */
export function haTable(members: readonly Member[]): string {
  const rows = members.map((member) => {
    const { target, replication: found } = member;
    const leader = leadersOf(members).find((each) => each.target.brokerName === target.brokerName)?.replication;
    const inSync = leader?.inSync ?? found.inSync;
    return [
      target.brokerName,
      found.member,
      ROLES[found.role] ?? '',
      target.address,
      found.epoch,
      found.role === Role.ROLE_LEADER ? '' : (found.leader ?? 'nobody'),
      found.endOffset,
      found.confirmedOffset,
      found.appliedOffset,
      leader === undefined ? '' : positive(leader.endOffset - found.storedOffset),
      inSync.length === 0 ? '' : inSync.includes(found.member) ? 'yes' : 'no',
      stateOf(found),
      noteOf(found),
    ];
  });
  const isSaid = (index: number): boolean => index < ALWAYS_COUNT || rows.some((row) => row[index] !== '');
  return renderTable(
    COLUMNS.filter((_column, index) => isSaid(index)),
    rows.map((row) => row.filter((_cell, index) => isSaid(index))),
  );
}

function noteOf({ leader, refusal, draining }: GetReplicationResponse): string {
  if (leader === undefined) return refusal;
  return draining ? 'is being drained' : '';
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

/** Where each epoch of the log of masters begins; of slaves where there is no master. */
export async function getBrokerEpoch(context: AdminContext, options: Options): Promise<Output> {
  const members = await membersOf(context, options, false);
  const led = new Set(leadersOf(members).map(({ target }) => target.brokerName));
  const shown = members.filter(
    ({ target, replication: { role } }) => role === Role.ROLE_LEADER || !led.has(target.brokerName),
  );
  const rows = shown.flatMap(({ target, replication: { member, epochs } }) =>
    epochs.map(({ epoch, startOffset }) => ({
      brokerName: target.brokerName,
      brokerId: member,
      epoch,
      startOffset,
    })),
  );
  return {
    text: renderTable(
      ['Broker Name', 'BID', 'Epoch', 'Start Offset'],
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
        : `broker ${brokerName} has no master that could hand over; haStatus says why no slave takes over, and --unclean makes one lead that may lack messages`,
    );
  }
  const { admin } = asked.target;
  const refusal = await (isUnclean ? admin.takeUncleanly() : admin.handOver(heir));
  if (refusal !== '') throw new RefusedError(`who leads ${brokerName} stays as it is: ${refusal}`);
  const text = isUnclean ? `member ${heir} leads ${brokerName}` : `the lead of ${brokerName} was handed over`;
  return { text, json: { brokerName, brokerId: heir ?? null } };
}

/** Members when all slaves have compared their state with that of their masters, or do not in time. */
async function attested(context: AdminContext, options: Options): Promise<Member[]> {
  const before = leadersOf(await membersOf(context, options, false));
  let members = await membersOf(context, options, true);
  const endMs = performance.now() + ATTEST_MS;
  while (!isAttested(before, members) && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, ATTEST_POLL_MS));
    members = await membersOf(context, options, false);
  }
  return members;
}

function isAttested(leaders: readonly Member[], members: readonly Member[]): boolean {
  return leaders.every(({ target, replication: { endOffset, followers } }) =>
    members
      .filter((each) => each.target.brokerName === target.brokerName)
      .filter(({ replication }) => followers.some(({ member }) => member === replication.member))
      .every(({ replication }) => replication.attestedPosition >= endOffset),
  );
}

function positive(bytes: bigint): bigint {
  return bytes > 0n ? bytes : 0n;
}

async function membersOf(context: AdminContext, options: Options, attest: boolean): Promise<AskedMember[]> {
  const targets = await context.members(options);
  const answers = await onEach(targets, ({ admin }) => admin.replication(attest));
  return answers.map((replication, index) => ({ target: targets[index]!, replication }));
}

function leadersOf<T extends Member>(members: readonly T[]): T[] {
  return members.filter(({ replication }) => replication.role === Role.ROLE_LEADER);
}

/** Whether the state of a slave is that of its master, as far as that was compared. */
function stateOf({ attestedPosition, attestedChecksum, attestedLeaderChecksum }: GetReplicationResponse): string {
  if (attestedPosition === 0n) return '';
  return attestedChecksum === attestedLeaderChecksum
    ? `equal at ${attestedPosition}`
    : `DIFFERS at ${attestedPosition}`;
}
