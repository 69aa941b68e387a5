import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

interface Controller {
  /** Directory of the root group that has memory as a controller. */
  readonly root: string;
  readonly limitFile: string;
  /** Holds a line `oom_kill N`. */
  readonly eventsFile: string;
  /** How the group of a process is named in `/proc/self/cgroup`. */
  readonly own: RegExp;
}

const V1: Controller = {
  root: join(ROOT, 'memory'),
  limitFile: 'memory.limit_in_bytes',
  eventsFile: 'memory.oom_control',
  own: /^\d+:memory:(.*)$/m,
};
const V2: Controller = { root: ROOT, limitFile: 'memory.max', eventsFile: 'memory.events', own: /^0::(.*)$/m };

function controllerHere(): Controller | undefined {
  if (existsSync(join(V1.root, V1.limitFile.replace('limit', 'usage')))) return V1;
  const controllers = join(ROOT, 'cgroup.controllers');
  return existsSync(controllers) && /\bmemory\b/.test(readFileSync(controllers, 'utf8')) ? V2 : undefined;
}

/** A control group with a limit of memory, caches of files among it. */
export class MemoryLimit {
  readonly #controller: Controller;
  readonly #directory: string;

  constructor(name: string, limitBytes: number) {
    this.#controller = controllerHere()!;
    this.#directory = join(this.#controller.root, name);
    if (this.#controller === V2) writeFileSync(join(ROOT, 'cgroup.subtree_control'), '+memory');
    mkdirSync(this.#directory);
    this.#write(this.#controller.limitFile, String(limitBytes));
    if (existsSync(join(this.#directory, 'memory.swap.max'))) this.#write('memory.swap.max', '0');
  }

  /** What `start` starts, synchronously, lives within the limit from its first byte on. */
  within(start: () => void): void {
    const own = this.#controller.own.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
    this.#write('cgroup.procs', String(process.pid));
    try {
      start();
    } finally {
      writeFileSync(join(this.#controller.root, own, 'cgroup.procs'), String(process.pid));
    }
  }

  /** Processes that the kernel has killed because there was no memory for them. */
  killedCount(): number {
    const events = readFileSync(join(this.#directory, this.#controller.eventsFile), 'utf8');
    return Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0);
  }

  /** To be called when all its processes have ended. */
  remove(): void {
    rmdirSync(this.#directory);
  }

  #write(file: string, text: string): void {
    writeFileSync(join(this.#directory, file), text);
  }
}

/** Why the memory of processes can't be limited here, or false. For the `skip` of a test. */
export const memoryLimitSkip: string | false =
  process.platform !== 'linux' || process.getuid?.() !== 0
    ? 'limits of memory need Linux and root'
    : controllerHere() === undefined
      ? 'this machine has no control groups with memory'
      : probe();

/** Control groups may be there and yet not be ours to make. */
function probe(): string | false {
  try {
    new MemoryLimit(`orbitmq-probe-${process.pid}`, 1 << 30).remove();
    return false;
  } catch (error) {
    return `control groups can not be made here: ${(error as Error).message}`;
  }
}

/** The most memory that a process has held at one time, files aside; bytes. */
export function peakMemoryOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}
