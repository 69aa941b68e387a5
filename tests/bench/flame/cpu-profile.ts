import type { ServiceProcess } from '@orbitmq/tools';
import { waitUntil } from '../../interop/child.ts';

/** Node picks a free port when it is asked to be inspected. */
export const INSPECTABLE = { NODE_OPTIONS: '--inspect-port=127.0.0.1:0' };
const LISTENING_MS_MAX = 10_000;
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
  member.signal('SIGUSR1');
  const address = (): string | undefined => /Debugger listening on (ws:\S+)/.exec(member.log())?.[1];
  await waitUntil(`${member.name} can be inspected`, LISTENING_MS_MAX, () => address() !== undefined);
  const inspector = await Inspector.connect(address()!);
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

/** Calls of the inspector protocol, one after the other. */
class Inspector {
  readonly #socket: WebSocket;
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  static connect(address: string): Promise<Inspector> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(address);
      socket.onopen = () => resolve(new Inspector(socket));
      socket.onerror = () => reject(new Error(`nobody answers at ${address}`));
    });
  }

  call(method: string, params: object = {}): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#socket.onclose = () => reject(new Error(`the process has ended before it answered ${method}`));
      this.#socket.onmessage = ({ data }) => {
        const message = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: { message: string } };
        if (message.id !== id) return;
        if (message.error === undefined) resolve(message.result);
        else reject(new Error(`${method}: ${message.error.message}`));
      };
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  close(): void {
    this.#socket.close();
  }
}
