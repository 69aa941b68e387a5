import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { connect } from 'node:tls';
import { systemClock } from '@orbitmq/base';
import { resolveTlsIdentity, type TlsIdentity } from '@orbitmq/rpc';
import { type Member, startCluster } from '../cluster.ts';
import { waitUntil } from '../interop/child.ts';

const directory = mkdtempSync(join(tmpdir(), 'orbitmq-tls-'));
const [certificateFile, keyFile] = [join(directory, 'tls.crt'), join(directory, 'tls.key')];
after(() => rmSync(directory, { recursive: true, force: true }));

/** Writes a certificate and key that nobody has seen, as a secret's files are changed. @returns its certificate */
async function replaceFiles(): Promise<string> {
  const own = { certificateFile: 'certificate', keyFile: 'key' };
  const files = { read: async () => undefined, write: async () => {} };
  const options = { configured: undefined, own, names: ['localhost'], clock: systemClock };
  const made: TlsIdentity = await resolveTlsIdentity(options, files);
  writeFileSync(certificateFile, made.certificate);
  writeFileSync(keyFile, made.key);
  return made.certificate;
}

/** The certificate that a member shows, PEM. */
function shownBy(member: Member): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: member.clientPort, ALPNProtocols: ['h2'], rejectUnauthorized: false };
    const socket = connect(options, () => {
      resolve(socket.getPeerX509Certificate()!.toString());
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

it('a certificate that is replaced while servers run is shown by them', async () => {
  const first = await replaceFiles();
  const properties = { tlsCertPath: certificateFile, tlsKeyPath: keyFile };
  await using cluster = await startCluster({ nameServerProperties: properties, brokerProperties: properties });
  const members = [cluster.nameServers[0]!, cluster.brokers[0]!];
  for (const member of members) assert.equal(await shownBy(member), first);
  const second = await replaceFiles();
  for (const member of members) {
    await waitUntil(`${member.name} shows the other one`, 60_000, async () => (await shownBy(member)) === second);
  }
});
