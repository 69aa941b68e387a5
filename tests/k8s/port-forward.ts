import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Lab } from './lab.ts';

const BEGIN_MS = 30_000;
const AGAIN_MS = 200;

/** What to forward, and where to. */
export interface ForwardOptions {
  readonly namespace: string;
  /** As kubectl takes it: `svc/mq`, `pod/mq-broker-a-0`. */
  readonly target: string;
  /** Port of the service or pod. */
  readonly port: number;
  /** Address of this machine on which it listens; default 127.0.0.1. */
  readonly address?: string;
  /** Port of this machine; a free one when not given. */
  readonly localPort?: number;
}

/**
 * A `kubectl port-forward` that is started again whenever it ends: it ends with the pod that it began with, and whoever uses one
 * starts it again.
 */
export class PortForward implements Disposable {
  readonly #lab: Lab;
  readonly #options: ForwardOptions;
  #localPort: number;
  #child: ChildProcess | undefined;
  #isOver = false;

  private constructor(lab: Lab, options: ForwardOptions) {
    this.#lab = lab;
    this.#options = options;
    this.#localPort = options.localPort ?? 0;
  }

  /** Waits until it listens. @throws Error with what kubectl said when it does not in time */
  static async start(lab: Lab, options: ForwardOptions): Promise<PortForward> {
    const forward = new PortForward(lab, options);
    try {
      await forward.#run(BEGIN_MS);
      return forward;
    } catch (error) {
      forward[Symbol.dispose]();
      throw error;
    }
  }

  /** Where it listens: the same for as long as it lives. */
  get endpoint(): string {
    return `${this.#options.address ?? '127.0.0.1'}:${this.#localPort}`;
  }

  /** Local port. */
  get port(): number {
    return this.#localPort;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#child?.kill('SIGKILL');
  }

  /** @returns when it listens; goes on in the background until it is disposed of */
  #run(patienceMs: number): Promise<void> {
    const { namespace, target, port, address = '127.0.0.1' } = this.#options;
    const ports = `${this.#localPort === 0 ? '' : this.#localPort}:${port}`;
    const args = ['port-forward', '-n', namespace, '--address', address, target, ports];
    const child = spawn('kubectl', args, { env: this.#lab.environment, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const killAtExit = (): boolean => child.kill('SIGKILL');
    process.once('exit', killAtExit);
    return new Promise((resolve, reject) => {
      let said = '';
      const fail = (): void => reject(new Error(`kubectl ${args.join(' ')}: ${said}`));
      const timer = setTimeout(fail, patienceMs);
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = `${said}${text}`.slice(-2_000);
      });
      createInterface({ input: child.stdout }).on('line', (line) => {
        const found = /^Forwarding from \S+:(\d+) -> /.exec(line)?.[1];
        if (found === undefined) return;
        this.#localPort = Number(found);
        resolve();
      });
      child.once('error', reject);
      child.once('exit', () => {
        process.off('exit', killAtExit);
        clearTimeout(timer);
        fail();
        if (this.#isOver || this.#localPort === 0) return;
        setTimeout(() => this.#isOver || this.#run(BEGIN_MS).catch(() => {}), AGAIN_MS).unref();
      });
    });
  }
}
