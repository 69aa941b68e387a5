import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Clock, systemClock } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { selfSignedIdentity } from './self-signed.ts';
import type { TlsIdentity } from './server.ts';
import { TlsRenewal } from './tls-renewal.ts';

function newIdentity(): TlsIdentity {
  return selfSignedIdentity({ names: ['localhost'], nowMs: systemClock.wallMs(), validDays: 1 });
}

it('uses what the files hold once it fits together, and says once what is wrong', async () => {
  const [first, second] = [newIdentity(), newIdentity()];
  const texts = new Map([
    ['tls.crt', first.certificate],
    ['tls.key', first.key],
  ]);
  const lines: string[] = [];
  const used: TlsIdentity[] = [];
  const logger: Logger = {
    child: () => logger,
    debug() {},
    info: (_details, text) => lines.push(`info ${text}`),
    warn: (_details, text) => lines.push(`warn ${text}`),
    error() {},
  };
  let due: (() => void) | undefined;
  const clock: Clock = {
    ...systemClock,
    setTimer(_delayMs, callback) {
      due = callback;
      return { cancel: () => (due = undefined) };
    },
  };
  const look = async (): Promise<void> => {
    for (let round = 0; round < 3; round++) {
      due?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const renewal = new TlsRenewal({
    configured: { certificateFile: 'tls.crt', keyFile: 'tls.key' },
    identity: first,
    files: { read: async (path) => texts.get(path), write: async () => {} },
    clock,
    logger,
    use: (identity) => used.push(identity),
  });
  await renewal.start();
  await look();
  assert.deepEqual([used, lines], [[], []]);
  texts.set('tls.crt', second.certificate);
  await look();
  texts.delete('tls.key');
  await look();
  assert.deepEqual(used, []);
  assert.deepEqual(new Set(lines), new Set(['warn the TLS files can not be used; the certificate from before stays']));
  assert.equal(lines.length, 2);
  texts.set('tls.key', second.key);
  await look();
  assert.deepEqual(used, [second]);
  assert.equal(lines.at(-1), 'info the TLS certificate was renewed');
  await renewal.stop();
  texts.set('tls.crt', first.certificate).set('tls.key', first.key);
  await look();
  assert.equal(used.length, 1);
});
