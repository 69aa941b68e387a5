import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MovedClock } from '../contract/harness.ts';
import { RpcError, type RpcStatus } from '../service.ts';
import { OutgoingCall } from './client-call.ts';

const TIMEOUT_MS = 50;
/** As grpc-js tells of a stream that the server has reset with CANCEL. */
const cancelled = Object.assign(new Error('1 CANCELLED'), { code: 1, details: 'Call cancelled' });

describe('OutgoingCall: a cancellation that grpc-js tells of', () => {
  const statusAfter = (ms: number, timeoutMs: number | undefined, isCancelled = false): RpcStatus => {
    const clock = new MovedClock();
    const call = new OutgoingCall(new Set(), clock, timeoutMs === undefined ? {} : { timeoutMs });
    clock.move(ms);
    if (isCancelled) call.cancel();
    const error = call.errorOf(cancelled);
    call.ended();
    assert.ok(error instanceof RpcError);
    return error.status;
  };

  it('is the deadline, once that has passed', () => {
    assert.equal(statusAfter(TIMEOUT_MS, TIMEOUT_MS), 'DEADLINE_EXCEEDED');
    assert.equal(statusAfter(TIMEOUT_MS - 1, TIMEOUT_MS), 'CANCELLED');
    assert.equal(statusAfter(TIMEOUT_MS, undefined), 'CANCELLED');
  });

  it('is one when the caller has cancelled', () => {
    assert.equal(statusAfter(TIMEOUT_MS, TIMEOUT_MS, true), 'CANCELLED');
  });
});
