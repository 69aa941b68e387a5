import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

const MICROSECONDS_PER_TICK = 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** What the processes of one server have used so far. */
export interface ServerUsage {
  readonly cpuMicroseconds: number;
  readonly writtenBytes: number;
  /** From files, connections and pipes. */
  readonly readBytes: number;
}

/** CPU time, bytes sent to the disk, and bytes read of some processes together, by /proc. */
export function readUsage(pids: readonly number[]): ServerUsage {
  let cpuMicroseconds = 0;
  let writtenBytes = 0;
  let readBytes = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Fields are counted behind the command, which may hold spaces: utime is the 12th, stime the 13th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    cpuMicroseconds += (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK;
    const io = readFileSync(`/proc/${pid}/io`, 'latin1');
    writtenBytes += Number(/^write_bytes: (\d+)$/m.exec(io)?.[1] ?? 0);
    readBytes += Number(/^rchar: (\d+)$/m.exec(io)?.[1] ?? 0);
  }
  return { cpuMicroseconds, writtenBytes, readBytes };
}

/**
 * Milliseconds for which threads of some processes could have run and had no core, by /proc; those that have ended don't
 * count. On a core that nobody else wants it stays as it is.
 */
export function readWaitedMs(pids: readonly number[]): number {
  let waitedNs = 0;
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      waitedNs += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[1]);
    }
  }
  return waitedNs / 1e6;
}

/** Resident memory of some processes together. */
export function readRssBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + readStatusBytes(pid, 'VmRSS'), 0);
}

/** Memory of a process that no file backs, in bytes: without its programs and libraries, which the kernel drops and reads again as it likes. */
export function readAnonymousBytes(pid: number): number {
  return readStatusBytes(pid, 'RssAnon');
}

function readStatusBytes(pid: number, name: string): number {
  const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kibibytes ?? 0) * 1024;
}

/** Facts without which figures say little. */
export function machineFacts(): Record<string, string | number> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    coreCount: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
    node: process.version,
    date: new Date().toISOString(),
  };
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Collects latencies; keeps every one, as a bounded run has at most some millions. */
export class Latencies {
  #values = new Float64Array(1 << 16);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(milliseconds: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(this.#values.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = milliseconds;
  }

  /** Latencies in milliseconds below which the given shares (0…1) of all lie. */
  quantiles(shares: readonly number[]): number[] {
    const sorted = this.#values.slice(0, this.#count).sort();
    return shares.map((share) => sorted[Math.min(this.#count - 1, Math.floor(share * this.#count))] ?? Number.NaN);
  }
}
