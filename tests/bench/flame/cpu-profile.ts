import type { ServiceProcess } from '@orbitmq/tools';
import { inspect } from '../../inspector.ts';

const SAMPLE_MICROSECONDS = 250;

/** What V8 tells of where the time went. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Ids of nodes, one for each sample. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** A function, as it was called by a certain way. */
export interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

/** Profiles the CPU of a process that was started with `INSPECTABLE`, as long as `work` takes. */
export async function profileCpu(member: ServiceProcess, work: () => Promise<void>): Promise<CpuProfile> {
  const inspector = await inspect(member);
  try {
    await inspector.call('Profiler.enable');
    await inspector.call('Profiler.setSamplingInterval', { interval: SAMPLE_MICROSECONDS });
    await inspector.call('Profiler.start');
    await work();
    const { profile } = (await inspector.call('Profiler.stop')) as { profile: CpuProfile };
    return profile;
  } finally {
    inspector.close();
  }
}
