import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Lease } from './lease.ts';
import { fromLeaseObject, toLeaseObject } from './lease-object.ts';

const member = fc.nat({ max: 1000 });
const lease: fc.Arbitrary<Lease> = fc.record({
  holder: fc.option(member, { nil: undefined }),
  epoch: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  inSync: fc.uniqueArray(member, { maxLength: 5 }),
  acknowledge: fc.constantFrom('stored' as const, 'confirmed' as const),
  replicationAddress: fc.string(),
  durationMs: fc.integer({ min: 1, max: 3_600_000 }),
  heir: fc.option(member, { nil: undefined }),
});

describe('a lease as a Kubernetes object', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(lease, (one) => {
        assert.deepEqual(fromLeaseObject('broker-a', toLeaseObject('broker-a', one).annotations), { ...one });
      }),
    );
  });

  it('belongs to one shard', () => {
    const { annotations } = toLeaseObject('broker-a', fc.sample(lease, 1)[0]!);
    assert.throws(() => fromLeaseObject('broker-b', annotations), /belongs to shard broker-a/);
  });

  it('names the annotation that is missing or wrong', () => {
    const { annotations } = toLeaseObject('broker-a', fc.sample(lease, 1)[0]!);
    for (const name of Object.keys(annotations)) {
      const { [name]: _removed, ...rest } = annotations;
      assert.throws(() => fromLeaseObject('broker-a', rest), new RegExp(name.replace('/', '.')));
    }
    for (const text of ['', '-1', '1.5', '1e30', 'x']) {
      assert.throws(() => fromLeaseObject('broker-a', { ...annotations, 'orbitmq.io/epoch': text }), /epoch/);
    }
  });

  it('tells other tools who holds it, for how long', () => {
    const one = { ...fc.sample(lease, 1)[0]!, holder: 1, durationMs: 2500 };
    const object = toLeaseObject('broker-a', one);
    assert.equal(object.holderIdentity, 'broker-a/1');
    assert.equal(object.leaseDurationSeconds, 3);
  });
});
