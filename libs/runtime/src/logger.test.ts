import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from './pino-logger.ts';

function captured(level: 'debug' | 'info' = 'info') {
  const lines: string[] = [];
  const logger = createLogger({
    level,
    fields: { service: 'test' },
    destination: { write: (line) => void lines.push(line) },
  });
  return { logger, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('writes one JSON object a line with level, time, text and fields', () => {
  const { logger, parsed } = captured();
  logger.child({ module: 'log' }).warn({ offset: 5 }, 'cut');
  logger.debug({}, 'not written');
  const [line, ...others] = parsed();
  assert.equal(others.length, 0);
  assert.equal(line!.level, 'warn');
  assert.equal(line!.service, 'test');
  assert.equal(line!.module, 'log');
  assert.equal(line!.offset, 5);
  assert.equal(line!.msg, 'cut');
  assert.ok(Date.parse(String(line!.time)) > 0);
});

test('texts from outside stay within 256 bytes and on their line', () => {
  const { logger, lines, parsed } = captured();
  logger.info(
    { topic: 'é'.repeat(10_000), evil: 'a\r\n{"level":"error"}\u001b[31m', nested: { list: ['x'.repeat(9999)] } },
    'in',
  );
  assert.equal(lines.length, 1);
  assert.equal(lines[0]!.trimEnd().split('\n').length, 1);
  assert.ok(!lines[0]!.includes('\u001b'));
  const [line] = parsed();
  assert.ok(Buffer.byteLength(String(line!.topic)) <= 256 + 3);
  assert.ok(!String(line!.topic).includes('\ufffd'));
  assert.ok(JSON.stringify(line!.nested).length < 400);
});

test('errors keep their cause, code and details', () => {
  const { logger, parsed } = captured();
  const cause = Object.assign(new Error('disk'), { code: 'EIO' });
  logger.error({ error: new Error('write failed', { cause }), bytes: new Uint8Array(7), big: 5n }, 'fatal');
  const error = parsed()[0]!.error as { message: string; stack: string; cause: { code: string } };
  assert.equal(error.message, 'write failed');
  assert.equal(error.cause.code, 'EIO');
  assert.match(error.stack, /logger\.test/);
  assert.equal(parsed()[0]!.bytes, '[7 bytes]');
  assert.equal(parsed()[0]!.big, '5');
});
