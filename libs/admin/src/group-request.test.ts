import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PutGroupRequest } from '@orbitmq/protocol/orbitmq.admin.v1';
import type { Group } from '@orbitmq/views';
import { type GroupDefaults, groupConfigOf, wireGroupOf } from './group-request.ts';

const DEFAULTS: GroupDefaults = { retryMaxTimes: 16, retryPolicy: { kind: 'customized', delaysMs: [1000, 5000] } };

function request(changes: Partial<PutGroupRequest> = {}): PutGroupRequest {
  return { name: 'payments', retryPolicy: undefined, attributesPut: new Map(), attributesRemoved: [], ...changes };
}

describe('groupConfigOf', () => {
  it('fills in defaults for a new group', () => {
    assert.deepEqual(groupConfigOf(request(), undefined, DEFAULTS), {
      name: 'payments',
      consumeEnable: true,
      consumeMessageOrderly: false,
      ...DEFAULTS,
      attributes: new Map(),
      autoCreated: false,
    });
  });

  it('keeps what the request leaves out', () => {
    const made = groupConfigOf(request({ consumeMessageOrderly: true, retryMaxTimes: 0 }), undefined, DEFAULTS);
    const group: Group = { ...made, uid: 1, createdMs: 2 };
    const altered = groupConfigOf(request({ consumeEnable: false }), group, DEFAULTS);
    assert.deepEqual(altered, { ...made, consumeEnable: false });
    assert.deepEqual(wireGroupOf(group).retryPolicy?.customized?.delaysMs, [1000n, 5000n]);
  });

  it('takes both kinds of retry policy', () => {
    const exponential = { initialMs: 10n, maxMs: 1000n, multiplier: 2 };
    const altered = groupConfigOf(
      request({ retryPolicy: { customized: undefined, exponential } }),
      undefined,
      DEFAULTS,
    );
    assert.deepEqual(altered.retryPolicy, { kind: 'exponential', initialMs: 10, maxMs: 1000, multiplier: 2 });
    assert.deepEqual(wireGroupOf({ ...altered, uid: 1, createdMs: 2 }).retryPolicy?.exponential, exponential);
  });

  it('refuses what is out of range, naming value and remedy', () => {
    const policy = (delaysMs: bigint[]) => ({ customized: { delaysMs }, exponential: undefined });
    const cases: [PutGroupRequest, RegExp][] = [
      [request({ name: 'a b' }), /consumer group name consists of/],
      [request({ name: 'CID_RMQ_SYS_x' }), /own groups/],
      [request({ retryMaxTimes: -1 }), /retry_max_times is "-1"; must be 0…1000/],
      [request({ retryPolicy: policy([]) }), /0 delays.*must have 1…64/],
      [request({ retryPolicy: policy([-1n]) }), /must be 0…86400000 ms/],
      [
        request({ retryPolicy: { customized: undefined, exponential: undefined } }),
        /must be customized or exponential/,
      ],
      [
        request({ retryPolicy: { customized: undefined, exponential: { initialMs: 1n, maxMs: 2n, multiplier: NaN } } }),
        /multiplier is "NaN"/,
      ],
      [request({ attributesPut: new Map([['__proto__', 'x']]) }), /no group attribute "__proto__"/],
    ];
    for (const [refused, message] of cases) assert.throws(() => groupConfigOf(refused, undefined, DEFAULTS), message);
  });
});
