import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endWithThisProcess } from './orphans.ts';

const at = (name: string): string => new URL(name, import.meta.url).href;
const program = (script: string): string[] => [process.execPath, '--input-type=module', '-e', script];

/** Starts a program that has others below it; they are gone after the test, whatever comes. */
function start([file, ...rest]: string[], environment: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(file!, rest, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...environment } });
  endWithThisProcess(child);
  child.stdout!.setEncoding('utf8');
  return child;
}

async function nextLine(child: ChildProcess): Promise<string> {
  const [text] = (await once(child.stdout!, 'data')) as [string];
  return text.trim();
}

describe('who ends with its parent', () => {
  it('is killed when that is killed, and else ends by itself', async () => {
    const child = 'console.log(process.pid); if (process.env.WAITS) setInterval(() => {}, 1000)';
    const parent = `
      import { spawn } from 'node:child_process';
      const options = { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] };
      const rest = ['--import', ${JSON.stringify(at('end-with-parent.mjs'))}, '-e', ${JSON.stringify(child)}];
      spawn(process.execPath, rest, options).once('exit', () => process.exit(0));`;

    const killed = start(program(parent), { WAITS: '1' });
    assert.match(await nextLine(killed), /^\d+$/);
    killed.kill('SIGKILL');
    // It holds the pipe until it is gone.
    await once(killed.stdout!, 'close');

    const finished = start(program(parent));
    const [code] = (await once(finished, 'exit')) as [number];
    assert.equal(code, 0);
  });
});

describe('what npx has started', { skip: process.platform !== 'linux' && 'processes are looked up in /proc' }, () => {
  const looker = `
    import { whenNpxIsGone } from ${JSON.stringify(at('npx.mjs'))};
    whenNpxIsGone('mqbroker', (signal) => { console.log(signal); process.exit(0); });
    console.log(process.ppid, process.pid);
    setTimeout(() => process.exit(0), 60_000);`;
  // As npx does: a shell that waits for the program.
  const npx = `
    import { spawn } from 'node:child_process';
    spawn('sh', ['-c', '"$@"; exit $?', 'sh', ...${JSON.stringify(program(looker))}], { stdio: 'inherit' })
      .once('exit', () => process.exit(0));`;
  const started = (script: string): ChildProcess =>
    start(program(npx), { npm_command: 'exec', npm_lifecycle_script: script });

  it('hears when npx is killed', async () => {
    const killed = started("'mqbroker'");
    await nextLine(killed);
    killed.kill('SIGKILL');
    assert.equal(await nextLine(killed), 'SIGKILL');
  });

  it('hears when npx is stopped, and its shell with it', async () => {
    const stopped = started('mqbroker');
    const [shell] = (await nextLine(stopped)).split(' ');
    process.kill(Number(shell), 'SIGTERM');
    assert.equal(await nextLine(stopped), 'SIGTERM');
  });

  it('may outlive a script under npx that has started it', async () => {
    const script = started('tsx');
    const [, program] = (await nextLine(script)).split(' ');
    script.kill('SIGKILL');
    await once(script, 'exit');
    // Longer than it would take to notice.
    await sleep(600);
    process.kill(Number(program), 'SIGKILL');
  });
});
