import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { systemClock } from '@orbitmq/base';
import { selfSignedIdentity } from './self-signed.ts';
import { resolveTlsIdentity, type TlsFiles, type TlsIdentityOptions } from './tls-identity.ts';

class MemoryFiles implements TlsFiles {
  readonly files = new Map<string, { text: string; mode: number }>();

  read(path: string): Promise<string | undefined> {
    return Promise.resolve(this.files.get(path)?.text);
  }

  write(path: string, text: string, mode: number): Promise<void> {
    this.files.set(path, { text, mode });
    return Promise.resolve();
  }
}

const NAMES = ['broker-a.example', 'localhost', '127.0.0.1', '::1', 'fd00::1:2', '::ffff:10.0.0.1'];
const OPTIONS: TlsIdentityOptions = {
  configured: undefined,
  own: { certificateFile: 'tls.crt', keyFile: 'tls.key' },
  names: NAMES,
  clock: systemClock,
};

describe('self-signed certificate', () => {
  const nowMs = systemClock.wallMs();
  const certificate = new X509Certificate(selfSignedIdentity({ names: NAMES, nowMs, validDays: 10 }).certificate);

  it('is signed by its own key and no authority', () => {
    assert.ok(certificate.verify(certificate.publicKey));
    assert.ok(certificate.checkIssued(certificate));
    assert.equal(certificate.ca, false);
    assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  });

  it('is for all names and addresses', () => {
    assert.equal(certificate.checkHost('broker-a.example'), 'broker-a.example');
    assert.equal(certificate.checkHost('other.example'), undefined);
    for (const address of ['127.0.0.1', '::1', 'fd00::1:2']) assert.equal(certificate.checkIP(address), address);
    assert.equal(certificate.checkIP('127.0.0.2'), undefined);
  });

  it('is valid for the days asked for, and a day before', () => {
    assert.equal(Math.round((certificate.validToDate.getTime() - nowMs) / 86_400_000), 10);
    assert.equal(Math.round((certificate.validFromDate.getTime() - nowMs) / 86_400_000), -1);
  });
});

describe('resolveTlsIdentity', () => {
  it('makes an identity once, with a key that only its user may read', async () => {
    const files = new MemoryFiles();
    const first = await resolveTlsIdentity(OPTIONS, files);
    assert.deepEqual(await resolveTlsIdentity(OPTIONS, files), first);
    assert.equal(files.files.get('tls.key')?.mode, 0o600);
  });

  it('makes another one when the kept one is torn or ends soon', async () => {
    const files = new MemoryFiles();
    const first = await resolveTlsIdentity(OPTIONS, files);
    await files.write('tls.crt', first.certificate.slice(0, 100), 0o644);
    const second = await resolveTlsIdentity(OPTIONS, files);
    assert.notEqual(second.key, first.key);
    const soon = selfSignedIdentity({ names: NAMES, nowMs: systemClock.wallMs(), validDays: 20 });
    await files.write('tls.crt', soon.certificate, 0o644);
    await files.write('tls.key', soon.key, 0o600);
    assert.notEqual((await resolveTlsIdentity(OPTIONS, files)).key, soon.key);
  });

  it('uses configured files and refuses those that do not fit', async () => {
    const files = new MemoryFiles();
    const [one, other] = [1, 2].map(() => selfSignedIdentity({ names: NAMES, nowMs: 0, validDays: 1 }));
    const configured = { certificateFile: 'a.crt', keyFile: 'a.key' };
    await assert.rejects(resolveTlsIdentity({ ...OPTIONS, configured }, files), /both files/);
    await files.write('a.crt', one!.certificate, 0o644);
    await files.write('a.key', other!.key, 0o600);
    await assert.rejects(resolveTlsIdentity({ ...OPTIONS, configured }, files), /belong together/);
    await files.write('a.key', one!.key, 0o600);
    assert.deepEqual(await resolveTlsIdentity({ ...OPTIONS, configured }, files), one);
  });
});
