import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCES = join(import.meta.dirname, 'go');
const WORK = join(import.meta.dirname, '.work');
const DOWNLOAD_MS_MAX = 60_000;
const BUILD_MS_MAX = 10 * 60_000;
const PACKAGES = ['.', './noop', 'github.com/summerwind/h2spec/cmd/h2spec'];

/** The foreign programs that judge us, built from pinned sources. */
export interface Programs {
  /** h2spec: HTTP/2 and HPACK, section by section of their RFCs. */
  readonly h2spec: string;
  /** gRPC's interop cases, as client and as server: see `go/main.go`. */
  readonly interop: string;
  /** A server that does nothing at all with messages: see `go/noop/main.go`. */
  readonly noop: string;
}

/** The programs, or the reason why they can't be had here. */
export type PreparedPrograms =
  | { readonly programs: Programs; readonly missing: undefined }
  | { readonly programs: undefined; readonly missing: string };

/**
 * Builds the programs below `.work`, unless that was done before from the same sources. Without Go, or where its modules
 * can't be downloaded, there are none; what has been downloaded and can't be built is an error.
 */
export async function preparePrograms(): Promise<PreparedPrograms> {
  const folder = join(WORK, digest());
  const [h2spec, interop, noop] = ['h2spec', 'conformance', 'noop'].map((name) => join(folder, name));
  const programs = { h2spec: h2spec!, interop: interop!, noop: noop! };
  if (existsSync(folder)) return { programs, missing: undefined };
  try {
    await run('go', ['version']);
  } catch {
    return { programs: undefined, missing: 'go is not installed here' };
  }
  try {
    await download();
  } catch (error) {
    return { programs: undefined, missing: `its Go modules can't be downloaded: ${(error as Error).message}` };
  }
  process.stdout.write('# building h2spec and programs of gRPC, this is done once\n');
  mkdirSync(WORK, { recursive: true });
  const built = mkdtempSync(join(WORK, 'build-'));
  try {
    await run('go', ['build', '-mod=readonly', '-o', `${built}/`, ...PACKAGES], {
      cwd: SOURCES,
      timeout: BUILD_MS_MAX,
    });
    // Test files that run at the same time may each have built it; one is as good as the other.
    if (!existsSync(folder)) renameSync(built, folder);
  } finally {
    rmSync(built, { recursive: true, force: true });
  }
  return { programs, missing: undefined };
}

async function download(): Promise<void> {
  const list = ['list', '-mod=readonly', '-deps', ...PACKAGES];
  const options = { cwd: SOURCES, timeout: DOWNLOAD_MS_MAX };
  try {
    await run('go', list, options);
  } catch {
    // Registries fail now and then; what has come already is not fetched again.
    await run('go', list, options);
  }
}

function digest(): string {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum', 'main.go', 'noop/main.go']) hash.update(readFileSync(join(SOURCES, file)));
  return hash.digest('hex').slice(0, 12);
}
