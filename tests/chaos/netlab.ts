import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Placement } from '../cluster.ts';
import { Netlab } from '../faults/netlab/netlab.mjs';
import type { GateRequest } from './netlab-gate.ts';

/** Host from which the test itself reaches the others; its links are never cut. */
const OBSERVER = 'observer';
const GATE = fileURLToPath(new URL('netlab-gate.ts', import.meta.url));

/** Why hosts with links of their own can't be made here, or false. For the `skip` of a test. */
export const netlabSkip: string | false = whyNot();

function whyNot(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'hosts with links need Linux and root';
  if (spawnSync('gcc', ['--version']).status !== 0) return 'hosts with links need gcc';
  const probe = `orbitmq-${process.pid}`;
  if (spawnSync('ip', ['netns', 'add', probe]).status !== 0) return 'hosts with links need network namespaces';
  const tap = spawnSync('ip', ['-n', probe, 'tuntap', 'add', 'probe', 'mode', 'tap']);
  spawnSync('ip', ['netns', 'del', probe]);
  return tap.status === 0 ? false : 'hosts with links need TAP devices';
}

/** Hosts whose links can be cut, and a cluster's place on them. */
export class Lab implements Placement, AsyncDisposable {
  readonly #net: Netlab;
  readonly #gates: ChildProcess[] = [];
  readonly #observer: ChildProcess;

  private constructor(net: Netlab) {
    this.#net = net;
    this.#observer = this.#gateOn(OBSERVER);
  }

  /** @param hosts names of members, and of what else has a place of its own */
  static async up(hosts: readonly string[]): Promise<Lab> {
    return new Lab(await Netlab.up([OBSERVER, ...hosts]));
  }

  addressOf(name: string): string {
    return this.#net.ip(name);
  }

  commandOf(name: string, command: readonly string[]): readonly string[] {
    return ['ip', 'netns', 'exec', this.#net.ns(name), ...command];
  }

  async open(name: string, ports: readonly number[]): Promise<void> {
    for (const port of ports) {
      const listener = createServer();
      listener.listen(port, '127.0.0.1');
      await once(listener, 'listening');
      const led = once(this.#observer, 'message');
      await tell(this.#observer, { leadTo: this.addressOf(name), port }, listener);
      await led;
      listener.close();
    }
  }

  /** A listener on a free port of a host, for a server of the test's own process. */
  async listenOn(host: string): Promise<Server> {
    const gate = this.#gateOn(host);
    const listening = once(gate, 'message');
    await tell(gate, { listenOn: this.addressOf(host) });
    const [, listener] = (await listening) as [string, Server];
    await tell(gate, { taken: true });
    return listener;
  }

  /** Cuts all links between one host and others, both ways. A cut is silent. */
  async cut(one: string, others: readonly string[]): Promise<void> {
    for (const other of others) await this.#net.cut(one, other);
  }

  /** Drops what goes from one host to another. */
  async cutOneWay(from: string, to: string): Promise<void> {
    await this.#net.cutOneWay(from, to);
  }

  /** All links are whole again. */
  async heal(): Promise<void> {
    await this.#net.heal();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gate of this.#gates) gate.kill('SIGKILL');
    await this.#net.down();
  }

  #gateOn(host: string): ChildProcess {
    const [program, ...args] = this.commandOf(host, [process.execPath, GATE]);
    const gate = spawn(program!, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#gates.push(gate);
    return gate;
  }
}

function tell(gate: ChildProcess, request: GateRequest, listener?: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    gate.send(request, listener, (error) => (error === null ? resolve() : reject(error)));
  });
}
