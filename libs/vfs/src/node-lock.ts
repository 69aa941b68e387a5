import { randomBytes } from 'node:crypto';
import { promises as fs } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { VfsError } from './vfs.ts';
import { toVfsError } from './vfs-error.ts';

/*
 * One owner per directory, without native code and without a process number in a file (inside containers every process
 * is number 1). The kernel itself knows whether an owner lives: the owner listens on a unix socket in the directory,
 * and the socket dies with the process, however that ends.
 *
 *   1. listen on a private name, so that no public name is ever seen that does not listen yet
 *   2. rename it to a public one (`lock-<random>`): the claim
 *   3. connect to every other public name: dead ones are removed, a living one means that the directory is taken
 *
 * Of two claims the later one sees the earlier, so that there are never two owners. When both see each other both step
 * back and try again after a random time: the answer on the connection tells a claim from an owner.
 */
const PUBLIC_PREFIX = 'lock-';
const PRIVATE_PREFIX = 'locking-';
const OWNER = 'O';
const CLAIM = 'C';
const ATTEMPTS_MAX = 20;
const ANSWER_MS = 1000;
const PRIVATE_AGE_MS = 60_000;

/**
 * Takes `directory` for this process.
 * @throws VfsError LOCKED when another live process on this machine holds it
 */
export async function lockDirectory(directory: string): Promise<{ release(): Promise<void> }> {
  for (let attempt = 1; ; attempt++) {
    const claim = await Claim.make(directory);
    const other = await claim.strongestOther();
    if (other === undefined) return claim;
    await claim.release();
    if (other === OWNER || attempt === ATTEMPTS_MAX) throw new VfsError('LOCKED', 'lock', directory);
    await new Promise((resolve) => setTimeout(resolve, 5 + randomBytes(1)[0]! / 8));
  }
}

class Claim {
  readonly #directory: string;
  readonly #name: string;
  readonly #server: Server;
  readonly #handle: fs.FileHandle;
  #state = CLAIM;
  #released = false;

  private constructor(directory: string, name: string, handle: fs.FileHandle) {
    this.#directory = directory;
    this.#name = name;
    this.#handle = handle;
    this.#server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(this.#state);
    });
    this.#server.unref();
  }

  static async make(directory: string): Promise<Claim> {
    const name = randomBytes(9).toString('base64url');
    const handle = await fs.open(directory, 'r').catch((error) => {
      throw toVfsError('lock', directory, error);
    });
    const claim = new Claim(directory, PUBLIC_PREFIX + name, handle);
    try {
      await claim.#listen(PRIVATE_PREFIX + name);
      await fs.rename(join(directory, PRIVATE_PREFIX + name), join(directory, claim.#name));
    } catch (error) {
      await claim.release();
      throw toVfsError('lock', directory, error);
    }
    return claim;
  }

  /** What the others in the directory are: OWNER before CLAIM, or undefined when this claim is alone and so the owner. */
  async strongestOther(): Promise<string | undefined> {
    let strongest: string | undefined;
    for (const name of await fs.readdir(this.#directory)) {
      if (name.startsWith(PRIVATE_PREFIX)) await this.#removeAbandoned(name);
      if (!name.startsWith(PUBLIC_PREFIX) || name === this.#name) continue;
      const answer = await this.#ask(name);
      if (answer === undefined) await fs.rm(join(this.#directory, name), { force: true });
      else if (strongest !== OWNER) strongest = answer;
    }
    if (strongest === undefined) this.#state = OWNER;
    return strongest;
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    await fs.rm(join(this.#directory, this.#name), { force: true });
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
    await this.#handle.close();
  }

  /** Socket addresses end at 107 bytes, directories may be deeper: the way through the open directory is always short. */
  #address(name: string): string {
    return process.platform === 'linux' ? `/proc/self/fd/${this.#handle.fd}/${name}` : join(this.#directory, name);
  }

  #listen(name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#address(name), () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  /** OWNER or CLAIM when a process lives behind the name (a stopped one that doesn't answer is an owner), else undefined. */
  #ask(name: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      const socket: Socket = connect(this.#address(name));
      const finish = (answer: string | undefined): void => {
        clearTimeout(timeout);
        socket.destroy();
        resolve(answer);
      };
      const timeout = setTimeout(() => finish(OWNER), ANSWER_MS);
      socket.once('data', (data) => finish(data.toString('latin1', 0, 1) === CLAIM ? CLAIM : OWNER));
      // A claim that steps back may cut the connection before it has answered.
      socket.once('close', () => finish(CLAIM));
      socket.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') finish(undefined);
        else finish(error.code === 'ECONNRESET' || error.code === 'EPIPE' ? CLAIM : OWNER);
      });
    });
  }

  /** A private name much older than this claim belongs to a process that was killed in the middle of making it. */
  async #removeAbandoned(name: string): Promise<void> {
    const path = join(this.#directory, name);
    const own = await fs.lstat(join(this.#directory, this.#name));
    const other = await fs.lstat(path).catch(() => undefined);
    if (other !== undefined && own.mtimeMs - other.mtimeMs > PRIVATE_AGE_MS) await fs.rm(path, { force: true });
  }
}
