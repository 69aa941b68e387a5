import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** gRPC's own server of the interop cases, for as long as `use` runs. @param program that `programs.ts` has built */
export async function withGoServer(program: string, use: (address: string) => Promise<void>): Promise<void> {
  const child = spawn(program, ['serve'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    await use(`127.0.0.1:${line.toString().trim()}`);
  } finally {
    child.stdin.end(); // which ends it
    await exited;
  }
}
