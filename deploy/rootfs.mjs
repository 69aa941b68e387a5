// Lays out the root file system of the image: the Node that runs this, the libraries it needs, and nothing else. No shell, no npm.
// node rootfs.mjs FOLDER. Runs in the Dockerfile and, where there is no Docker, in `npm run image`: Node's own modules only.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const USER = 10001;
const PROGRAMS = ['mqnamesrv', 'mqbroker', 'mqreplica', 'mqadmin'];

const root = process.argv[2];
if (root === undefined) throw new Error('usage: node rootfs.mjs FOLDER');

place(process.execPath, '/usr/local/bin/node', 0o755);
for (const library of librariesOf(process.execPath)) place(library, library, 0o755);
for (const program of PROGRAMS) link(`/opt/orbitmq/bin/${program}.js`, `/usr/local/bin/${program}`);

write('/etc/passwd', `root:x:0:0:root:/:/\norbitmq:x:${USER}:${USER}:orbitmq:/opt/orbitmq:/\n`);
write('/etc/group', `root:x:0:\norbitmq:x:${USER}:\n`);
write('/etc/nsswitch.conf', 'hosts: files dns\n');

// What is here under a licence of its own says so; an image may be made on systems that keep these texts elsewhere.
const licenses = {
  node: join(dirname(process.execPath), '..', 'LICENSE'),
  libc6: '/usr/share/doc/libc6/copyright',
  'libstdc++6': '/usr/share/doc/libstdc++6/copyright',
};
for (const [name, file] of Object.entries(licenses)) {
  if (existsSync(file)) place(file, `/opt/orbitmq/licenses/${name}`, 0o644);
}
mkdirSync(join(root, 'tmp'), { recursive: true });
chmodSync(join(root, 'tmp'), 0o1777);
// Its mode is that of / in a container.
chmodSync(root, 0o755);

/** What the dynamic loader would load, and itself: there need be no ldd. */
function librariesOf(program) {
  const said = execFileSync(program, { env: { LD_TRACE_LOADED_OBJECTS: '1' }, encoding: 'utf8' });
  return [...new Set([...said.matchAll(/(\/\S+) \(0x/g)].map(([, file]) => file))];
}

function place(from, to, mode) {
  const target = join(root, to);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(from, target);
  chmodSync(target, mode);
}

function link(to, from) {
  mkdirSync(dirname(join(root, from)), { recursive: true });
  symlinkSync(to, join(root, from));
}

function write(file, text) {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}
