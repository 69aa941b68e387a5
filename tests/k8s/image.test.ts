import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ROOT } from '@orbitmq/tools';
import { IMAGE, makeImage } from './images.ts';
import { hasImageBuilder, labSkip } from './lab.ts';

const COMPRESSED_BYTES_MAX = 80 * 2 ** 20;
const PROGRAMS = ['mqnamesrv', 'mqbroker', 'mqreplica', 'mqadmin'];
/** Nothing of this machine's environment, but for where chroot is. */
const BARE = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
const USER = '10001:10001';

/** What an archive of `docker save` says of the image in it. */
interface ImageConfig {
  readonly config: Readonly<Record<string, unknown>>;
}

describe('image', { skip: labSkip }, () => {
  let directory: string;
  let archive: string;
  let root: string;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'orbitmq-image-'));
    archive = makeImage();
    root = unpack(archive, join(directory, 'made'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('is small', (test) => {
    const { stdout } = spawnSync('sh', ['-c', 'gzip -c "$0" | wc -c', archive], { encoding: 'utf8' });
    const [plain, compressed] = [statSync(archive).size, Number(stdout)].map((size) => (size / 2 ** 20).toFixed(1));
    test.diagnostic(`${plain} MiB, compressed ${compressed} MiB`);
    assert.ok(Number(stdout) < COMPRESSED_BYTES_MAX, `${compressed} MiB`);
  });

  it('has no shell, no package manager and nothing that is not meant to be there', () => {
    const files = filesOf(root);
    assert.deepEqual(
      files.filter((file) => /(^|\/)(sh|bash|busybox|npm|npx|corepack|yarn|apt|dpkg|apk)$/.test(file)),
      [],
    );
    const known =
      /^(usr\/local\/bin\/(node|mq\w+)|lib(64)?\/.*\.so\.\d+|usr\/lib\/.*\.so\.\d+|etc\/(passwd|group|nsswitch\.conf)|opt\/orbitmq\/.*)$/;
    assert.deepEqual(
      files.filter((file) => !known.test(file)),
      [],
    );
  });

  it('runs as nobody in particular', () => {
    const { config } = configOf(archive);
    assert.equal(config['User'], USER);
    assert.match(readFileSync(join(root, 'etc/passwd'), 'utf8'), /^orbitmq:x:10001:10001:/m);
  });

  it('has every program, by name and without a shell, on a file system that it cannot write', () => {
    for (const program of PROGRAMS) {
      const inside = ['chroot', `--userspec=${USER}`, root, `/usr/local/bin/${program}`, '--help'];
      const { status, stdout, stderr } = spawnSync(inside[0]!, inside.slice(1), { encoding: 'utf8', env: BARE });
      assert.equal(status, 0, `${program}: ${stderr}`);
      assert.match(stdout, new RegExp(`usage: ${program === 'mqreplica' ? 'mq\\w+' : program}`, 'i'));
    }
  });

  it('says what it is made of, and under which licences', () => {
    const file = join(root, 'opt/orbitmq/sbom.cdx.json');
    const { components } = JSON.parse(readFileSync(file, 'utf8')) as {
      components: { name: string; version: string }[];
    };
    assert.ok(components.some(({ name }) => name === '@grpc/grpc-js'));
    const node = components.find(({ name }) => name === 'node');
    const { stdout } = spawnSync('chroot', [root, '/usr/local/bin/node', '--version'], { encoding: 'utf8', env: BARE });
    assert.equal(`v${node?.version}`, stdout.trim());
    const licenses = readdirSync(join(root, 'opt/orbitmq/licenses'));
    for (const name of ['orbitmq', 'packages', 'node']) assert.ok(licenses.includes(name), name);
    const texts = readFileSync(join(root, 'opt/orbitmq/licenses/packages'), 'utf8');
    for (const { name } of components.filter((component) => component !== node)) assert.ok(texts.includes(name), name);
  });

  it('is the same from the Dockerfile', { skip: hasImageBuilder() ? false : 'buildah is missing' }, () => {
    const out = join(directory, 'docker.tar');
    const built = spawnSync(
      join(import.meta.dirname, 'lab', 'build-image'),
      [ROOT, IMAGE, out, join(ROOT, 'deploy', 'Dockerfile')],
      { encoding: 'utf8', env: { ...process.env, K8SLAB_HOME: directory } },
    );
    assert.equal(built.status, 0, built.stderr);
    const [ours, theirs] = [configOf(archive).config, configOf(out).config];
    for (const key of ['User', 'WorkingDir', 'Env', 'Entrypoint']) assert.deepEqual(theirs[key], ours[key], key);
    const folder = unpack(out, join(directory, 'docker'));
    // The base image that stands in for the real one brings no texts along.
    const compared = (files: string[]): string[] => files.filter((name) => !name.startsWith('opt/orbitmq/licenses/'));
    assert.deepEqual(compared(filesOf(folder)), compared(filesOf(root)));
  });
});

function configOf(archive: string): ImageConfig {
  const read = (name: string): string =>
    spawnSync('tar', ['xOf', archive, name], { encoding: 'utf8', maxBuffer: 1 << 24 }).stdout;
  const [manifest] = JSON.parse(read('manifest.json')) as [{ Config: string }];
  return JSON.parse(read(manifest.Config)) as ImageConfig;
}

/** Lays the layers of an image over each other, as a container sees them. */
function unpack(archive: string, folder: string): string {
  const read = spawnSync('tar', ['xOf', archive, 'manifest.json'], { encoding: 'utf8' }).stdout;
  const [{ Layers }] = JSON.parse(read) as [{ Layers: string[] }];
  mkdirSync(folder);
  for (const layer of Layers) {
    const script = 'tar xOf "$0" "$1" | tar x -C "$2"';
    const { status, stderr } = spawnSync('sh', ['-c', script, archive, layer, folder], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  }
  return folder;
}

function filesOf(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}
