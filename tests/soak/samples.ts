import { readdirSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { readAnonymousBytes, readRssBytes, readUsage } from '../bench/measure.ts';
import type { Member } from '../cluster.ts';

/** Name of this process. */
export const CLIENTS = 'clients';

/** What a process holds at one moment. */
export interface Sample {
  readonly atMs: number;
  readonly rssBytes: number;
  /** RSS but for what files back: the kernel may take back pages of programs at any time, and hide a growth by that. */
  readonly anonymousBytes: number;
  /** Of this process, what is left after a collection of garbage. */
  readonly heapBytes: number;
  readonly externalBytes: number;
  /** Open files and connections. */
  readonly descriptorCount: number;
  /** Things that the event loop waits for. */
  readonly handleCount: number;
  /** So far. */
  readonly cpuMicroseconds: number;
}

/** A process that is looked at again and again. */
export interface Watched {
  readonly name: string;
  readonly samples: Sample[];
  sample(): Promise<Sample>;
}

/** A server, by /proc and its metrics. */
export function watchMember(member: Member): Watched {
  const pid = member.pid!;
  return watch(member.name, pid, async () => {
    const response = await fetch(`http://127.0.0.1:${member.httpPort}/metrics`, { headers: { connection: 'close' } });
    const text = await response.text();
    const value = (name: string): number => Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'm').exec(text)?.[1]);
    return {
      heapBytes: value('nodejs_heap_size_used_bytes'),
      externalBytes: value('nodejs_external_memory_bytes'),
      handleCount: value('nodejs_active_handles_total'),
    };
  });
}

/** This process, in which the clients are. */
export function watchSelf(): Watched {
  const session = new Session();
  session.connect();
  return watch(CLIENTS, process.pid, async () => {
    await session.post('HeapProfiler.collectGarbage');
    const { heapUsed, external } = process.memoryUsage();
    return { heapBytes: heapUsed, externalBytes: external, handleCount: process.getActiveResourcesInfo().length };
  });
}

function watch(
  name: string,
  pid: number,
  look: () => Promise<Pick<Sample, 'heapBytes' | 'externalBytes' | 'handleCount'>>,
): Watched {
  const samples: Sample[] = [];
  return {
    name,
    samples,
    async sample() {
      const found = await look();
      const sample = {
        atMs: Math.round(performance.now()),
        rssBytes: readRssBytes([pid]),
        anonymousBytes: readAnonymousBytes(pid),
        descriptorCount: readdirSync(`/proc/${pid}/fd`).length,
        cpuMicroseconds: readUsage([pid]).cpuMicroseconds,
        ...found,
      };
      samples.push(sample);
      return sample;
    },
  };
}
