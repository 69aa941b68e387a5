import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ReceiveWindow, SendWindow } from './flow-control.ts';

describe('SendWindow', () => {
  it('may become negative by a smaller initial window, and never too large', () => {
    const window = new SendWindow(100);
    window.sent(80);
    assert.ok(window.open(-90));
    assert.equal(window.availableBytes, -70);
    assert.ok(window.open(2 ** 31 - 1));
    assert.equal(window.open(71), false);
    assert.equal(window.availableBytes, 2 ** 31 - 71);
  });
});

describe('ReceiveWindow', () => {
  it('is opened again in halves', () => {
    const window = new ReceiveWindow(100);
    assert.ok(window.received(100));
    assert.equal(window.done(49), 0);
    assert.equal(window.done(1), 50);
    assert.ok(window.received(50));
    assert.equal(window.received(1), false);
  });
});
