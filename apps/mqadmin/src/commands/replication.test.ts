import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GetReplicationResponse, GetReplicationResponse_Role as Role } from '@orbitmq/protocol/orbitmq.admin.v1';
import { haTable, type Member } from './replication.ts';

describe('haStatus', () => {
  it('shows how far a slave is behind, and what nobody says anything about not at all', () => {
    const master = member({ role: Role.ROLE_LEADER, leader: 0, inSync: [0, 1], storedOffset: 100n, endOffset: 100n });
    const slave = member({ member: 1, role: Role.ROLE_FOLLOWER, leader: 0, storedOffset: 60n, endOffset: 80n });
    assert.deepEqual(
      cellsOf(haTable([master, { ...slave, replication: { ...slave.replication, refusal: 'heard' } }])),
      [
        [
          '#Broker',
          'Name',
          '#BID',
          '#Role',
          '#Addr',
          '#Epoch',
          '#Follows',
          '#End',
          '#Confirmed',
          '#Applied',
          '#Behind',
        ].concat('#In', 'Sync'),
        ['broker-a', '0', 'MASTER', 'host:10911', '1', '100', '0', '0', '0', 'yes'],
        ['broker-a', '1', 'SLAVE', 'host:10911', '1', '0', '80', '0', '0', '40', 'yes'],
      ],
    );
  });

  it('says why nobody leads', () => {
    const slave = member({ member: 1, role: Role.ROLE_FOLLOWER, inSync: [0], refusal: 'it may lack something' });
    assert.match(haTable([slave]), /SLAVE .* nobody .* no {2,}it may lack something$/);
  });

  it('says whether the states of slave and master are the same', () => {
    const compared = { attestedPosition: 8n, attestedChecksum: 5n };
    assert.match(haTable([member({ ...compared, attestedLeaderChecksum: 5n })]), /equal at 8$/);
    assert.match(haTable([member({ ...compared, attestedLeaderChecksum: 6n })]), /DIFFERS at 8$/);
  });
});

function member(fields: Partial<GetReplicationResponse>): Member {
  const replication = { ...GetReplicationResponse.decode(new Uint8Array()), epoch: 1n, ...fields };
  return { target: { brokerName: 'broker-a', address: 'host:10911' }, replication };
}

function cellsOf(table: string): string[][] {
  return table.split('\n').map((line) => line.trim().split(/ +/));
}
