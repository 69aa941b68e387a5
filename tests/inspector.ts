import type { ServiceProcess } from '@orbitmq/tools';
import { waitUntil } from './interop/child.ts';

/** Environment of a process that is to be inspected: Node picks a free port when it is asked. */
export const INSPECTABLE = { NODE_OPTIONS: '--inspect-port=127.0.0.1:0' };
const LISTENING_MS_MAX = 10_000;

/** Opens the inspector of a process that was started with `INSPECTABLE`. */
export async function inspect(member: ServiceProcess): Promise<Inspector> {
  const address = (): string | undefined => member.log().match(LISTENING)?.[1];
  member.signal('SIGUSR1');
  await waitUntil(`${member.name} can be inspected`, LISTENING_MS_MAX, () => address() !== undefined);
  return Inspector.connect(address()!);
}

const LISTENING = /Debugger listening on (ws:\S+)/;

/** Calls of the inspector protocol, one after the other. */
export class Inspector {
  readonly #socket: WebSocket;
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** @param address as Node writes it into its log */
  static connect(address: string): Promise<Inspector> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(address);
      socket.onopen = () => resolve(new Inspector(socket));
      socket.onerror = () => reject(new Error(`nobody answers at ${address}`));
    });
  }

  /** @throws Error what the process finds wrong with it, or that it has ended */
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
