/*
 * Makes the image of deploy/Dockerfile without Docker: the same root file system, packed as `docker save` would. Linux only.
 * npm run image -- [--tag NAME:TAG] [--out FILE] [--content]
 */
import { execFileSync } from 'node:child_process';
import { cpSync, createReadStream, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createGzip } from 'node:zlib';
import { IMAGE_CONTENT, makeImageContent } from './image-content.ts';
import { ROOT } from './repository.ts';

const MIB = 1 << 20;
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const { values: options } = parseArgs({
  options: {
    /** Name of the image. */
    tag: { type: 'string', default: `orbitmq:${version}` },
    /** Takes the archive. */
    out: { type: 'string', default: join(ROOT, 'dist', `orbitmq-${version}.tar`) },
    /** Only what is ours in it, as the Dockerfile takes it. */
    content: { type: 'boolean', default: false },
  },
});

await makeImageContent();
if (options.content) console.log(IMAGE_CONTENT);
else await pack(options.tag, resolve(options.out));

async function pack(tag: string, out: string): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'orbitmq-image-'));
  try {
    execFileSync(process.execPath, [join(ROOT, 'deploy', 'rootfs.mjs'), root], { stdio: 'inherit' });
    cpSync(IMAGE_CONTENT, join(root, 'opt', 'orbitmq'), { recursive: true });
    mkdirSync(dirname(out), { recursive: true });
    const { entrypoint, user, folder } = settings();
    const mkimage = join(ROOT, 'tests', 'k8s', 'lab', 'mkimage');
    const words = entrypoint.flatMap((word) => ['--entrypoint', word]);
    execFileSync(mkimage, [...words, '--user', user, '--workdir', folder, tag, root, out]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  const [plain, compressed] = [statSync(out).size, await compressedSize(out)].map((size) => (size / MIB).toFixed(1));
  console.log(`${tag}: ${plain} MiB, compressed ${compressed} MiB: ${out}`);
}

/** How the Dockerfile lets the programs run. */
function settings(): { entrypoint: string[]; user: string; folder: string } {
  const stage = readFileSync(join(ROOT, 'deploy', 'Dockerfile'), 'utf8').split(/^FROM scratch$/m)[1] ?? '';
  const said = (word: string): string => {
    const found = new RegExp(`^${word} (.+)$`, 'm').exec(stage)?.[1];
    if (found === undefined) throw new Error(`the last stage of deploy/Dockerfile has no ${word}`);
    return found;
  };
  const entrypoint = JSON.parse(said('ENTRYPOINT')) as string[];
  return { entrypoint, user: said('USER'), folder: said('WORKDIR') };
}

/** As registries keep it. */
async function compressedSize(file: string): Promise<number> {
  let sizeBytes = 0;
  for await (const chunk of createReadStream(file).pipe(createGzip())) sizeBytes += (chunk as Buffer).length;
  return sizeBytes;
}
