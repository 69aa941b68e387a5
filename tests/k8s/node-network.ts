import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { GateRequest } from '../chaos/netlab-gate.ts';
import type { Lab } from './lab.ts';

const GATE = fileURLToPath(new URL('../chaos/netlab-gate.ts', import.meta.url));

/**
 * Ways from this machine into the network of the nodes, as a load balancer before them has: to ports of nodes and to pods. Unlike a
 * `kubectl port-forward` they need neither API server nor kubelet.
 */
export class NodeNetwork implements Disposable {
  readonly #gate: ChildProcess;

  constructor(lab: Lab) {
    const [program, ...args] = lab.inNetworkOf('control', [process.execPath, GATE]);
    // It ends with its channel to this process.
    this.#gate = spawn(program!, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  /** @returns `127.0.0.1:port`, from which every connection is led to a port of a node or pod */
  async lead(host: string, port: number): Promise<string> {
    const listener = createServer();
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port: localPort } = listener.address() as { port: number };
    const led = once(this.#gate, 'message');
    const request: GateRequest = { leadTo: host, port };
    await new Promise<void>((resolve, reject) => {
      this.#gate.send(request, listener, (error) => (error === null ? resolve() : reject(error)));
    });
    await led;
    listener.close();
    return `127.0.0.1:${localPort}`;
  }

  [Symbol.dispose](): void {
    this.#gate.kill('SIGKILL');
  }
}
