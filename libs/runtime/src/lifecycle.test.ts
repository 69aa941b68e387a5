import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHealth } from './health.ts';
import { Lifecycle, StoppingError } from './lifecycle.ts';
import { createLogger } from './pino-logger.ts';

function fixture(stopDeadlineMs = 1000) {
  const lines: string[] = [];
  const exits: number[] = [];
  const health = createHealth();
  const logger = createLogger({ level: 'info', fields: {}, destination: { write: (line) => void lines.push(line) } });
  const lifecycle = new Lifecycle({ logger, health, stopDeadlineMs, exit: (code) => void exits.push(code) });
  return { lifecycle, health, lines, exits };
}

test('opens in order, stops in reverse, and is ready in between', async () => {
  const { lifecycle, health } = fixture();
  const steps: string[] = [];
  for (const name of ['a', 'b', 'c']) {
    await lifecycle.open(
      name,
      () => steps.push(`open ${name}`),
      () => steps.push(`stop ${name}`),
    );
  }
  assert.equal(health.ready, false);
  lifecycle.started();
  assert.equal(health.ready, true);
  assert.equal(await lifecycle.stop(), true);
  await lifecycle.stop();
  assert.equal(health.ready, false);
  assert.deepEqual(steps, ['open a', 'open b', 'open c', 'stop c', 'stop b', 'stop a']);
});

test('a part that hangs or fails does not keep the others from stopping', async () => {
  const { lifecycle, lines } = fixture(50);
  let stopped = false;
  await lifecycle.open(
    'first',
    () => 1,
    () => {
      stopped = true;
    },
  );
  await lifecycle.open(
    'failing',
    () => 1,
    () => Promise.reject(new Error('no')),
  );
  await lifecycle.open(
    'hanging',
    () => 1,
    () => new Promise(() => {}),
  );
  assert.equal(await lifecycle.stop(), false);
  assert.equal(stopped, true);
  assert.match(lines.join(''), /"part":"hanging".*did not stop in time/);
  assert.match(lines.join(''), /"part":"failing".*could not be stopped/);
});

test('a part that opens during a stop is stopped, and no other is opened', async () => {
  const { lifecycle } = fixture();
  const gate = Promise.withResolvers<string>();
  let stopped = '';
  const opening = lifecycle.open(
    'slow',
    () => gate.promise,
    (part) => {
      stopped = part;
    },
  );
  await lifecycle.stop();
  gate.resolve('part');
  await assert.rejects(opening, StoppingError);
  assert.equal(stopped, 'part');
  await assert.rejects(
    lifecycle.open(
      'next',
      () => 1,
      () => {},
    ),
    StoppingError,
  );
});

test('a fatal error is logged with its cause, ends readiness and the process', () => {
  const { lifecycle, health, lines, exits } = fixture();
  lifecycle.fatal(new Error('fsync failed', { cause: new Error('EIO') }), 'the log can not be written');
  assert.deepEqual(exits, [1]);
  assert.equal(health.ready, false);
  assert.match(lines.join(''), /EIO/);
});
