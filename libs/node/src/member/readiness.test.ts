import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHealth } from '@orbitmq/runtime';
import { SimClock } from '@orbitmq/testkit';
import { MemberReadiness, type ReadyMember } from './readiness.ts';

type Mutable = { -readonly [Key in keyof ReadyMember]: ReadyMember[Key] };

const LEADER = { member: 0, epoch: 1, clientAddress: '127.0.0.1:1' };

test('a member is ready while it leads or is in sync, and for a moment without it', async () => {
  const clock = new SimClock();
  const health = createHealth();
  const member: Mutable = { leader: undefined, tenure: undefined, isInSync: false, election: undefined };
  const readiness = new MemberReadiness({ brokerName: 'broker-a', member, health, clock });
  await readiness.start();
  assert.deepEqual(health.reasons(), ['member: broker-a has no master that this member could follow']);
  member.election = { refusal: 'there is no lease' };
  await clock.advance(100);
  assert.match(health.reasons().join(), /could follow: there is no lease$/);
  member.leader = LEADER;
  await clock.advance(100);
  assert.deepEqual(health.reasons(), ['member: this copy of broker-a is not in sync with its master yet']);
  member.isInSync = true;
  await clock.advance(100);
  assert.equal(health.ready, true);
  member.isInSync = false;
  member.leader = undefined;
  await clock.advance(4_900);
  assert.equal(health.ready, true, 'leaders change');
  member.tenure = {} as NonNullable<ReadyMember['tenure']>;
  await clock.advance(100);
  member.tenure = undefined;
  await clock.advance(4_900);
  assert.equal(health.ready, true, 'it has led meanwhile');
  await clock.advance(300);
  assert.equal(health.ready, false);
  member.leader = LEADER;
  await clock.advance(300);
  assert.equal(health.ready, false, 'to be followed is not enough');
  member.isInSync = true;
  await clock.advance(100);
  assert.equal(health.ready, true);
  await readiness.stop();
});
