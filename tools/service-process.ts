import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endWithThisProcess } from './orphans.ts';

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a service process is started with. */
export interface ServiceProcessOptions {
  /** For messages: `broker-a`. */
  readonly name: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  /** File that takes stdout and stderr; what is in it stays. */
  readonly logFile: string;
  /** URL of `/readyz`. */
  readonly readyUrl: string;
  /** Variables on top of this process's own; undefined takes one away. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** The process is killed with this one, also when that is killed itself. The command runs Node. */
  readonly endsWithParent?: boolean;
}

const END_WITH_PARENT = new URL('end-with-parent.mjs', import.meta.url).href;

/** One of our services as a process of its own: started, watched, stopped, killed, started again. */
export class ServiceProcess {
  readonly name: string;
  readonly options: ServiceProcessOptions;
  #child: ChildProcess | undefined;
  #ended: Promise<ProcessEnd> = Promise.resolve({ code: null, signal: null });
  #end: ProcessEnd | undefined;

  constructor(options: ServiceProcessOptions) {
    this.name = options.name;
    this.options = options;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#end === undefined;
  }

  /** Process id of the last start. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Settles when the process that was started last has ended. */
  get ended(): Promise<ProcessEnd> {
    return this.#ended;
  }

  /** Starts the process; does not wait for it to serve. */
  start(): void {
    if (this.running) throw new Error(`${this.name} runs already`);
    mkdirSync(dirname(this.options.logFile), { recursive: true });
    const log = openSync(this.options.logFile, 'a');
    const { command, endsWithParent } = this.options;
    const [program, ...rest] = command;
    const child = spawn(program!, endsWithParent ? ['--import', END_WITH_PARENT, ...rest] : rest, {
      stdio: ['ignore', log, log, ...(endsWithParent ? (['ipc'] as const) : [])],
      env: { ...process.env, ...this.options.environment },
      // A group of its own: Ctrl-C in a terminal reaches the parent alone, which then stops all in order.
      detached: true,
    });
    closeSync(log);
    endWithThisProcess(child);
    this.#child = child;
    this.#end = undefined;
    this.#ended = new Promise((resolve) => {
      const finish = (end: ProcessEnd): void => {
        this.#end = end;
        resolve(end);
      };
      child.once('error', () => finish({ code: 127, signal: null }));
      child.once('exit', (code, signal) => finish({ code, signal }));
    });
  }

  /**
   * Waits until `/readyz` answers 200.
   * @throws Error with the last log lines when the process ends before, or after `deadlineMs`
   */
  async waitReady(deadlineMs = 30_000): Promise<void> {
    const endMs = performance.now() + deadlineMs;
    let last = 'no answer';
    while (performance.now() < endMs) {
      if (!this.running)
        throw new Error(`${this.name} ended before it was ready: ${this.describeEnd()}\n${this.logTail()}`);
      try {
        const response = await fetch(this.options.readyUrl, { signal: AbortSignal.timeout(2_000) });
        last = (await response.text()).trim();
        if (response.ok) return;
      } catch (error) {
        last = error instanceof Error ? error.message : String(error);
      }
      await sleep(25);
    }
    throw new Error(`${this.name} was not ready within ${deadlineMs} ms: ${last}\n${this.logTail()}`);
  }

  /** Asks the process to stop (SIGTERM), and kills it when it has not after `deadlineMs`. */
  async stop(deadlineMs = 15_000): Promise<ProcessEnd> {
    if (!this.running) return this.#ended;
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), deadlineMs);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the process as a crash would (SIGKILL), and waits until it is gone. */
  async kill(): Promise<ProcessEnd> {
    this.signal('SIGKILL');
    return this.#ended;
  }

  /** Sends a signal, if there is a process. */
  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child?.kill(signal);
  }

  /** Everything that the process has written since its log file began. */
  log(): string {
    return existsSync(this.options.logFile) ? readFileSync(this.options.logFile, 'utf8') : '';
  }

  /** The last lines of the log. */
  logTail(lineCount = 15): string {
    return this.log().trimEnd().split('\n').slice(-lineCount).join('\n');
  }

  /** How it ended, in words. */
  describeEnd(): string {
    if (this.#end === undefined) return 'it runs';
    return this.#end.signal ? `ended by ${this.#end.signal}` : `ended with exit code ${this.#end.code}`;
  }
}
