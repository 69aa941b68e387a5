import { execFile } from 'node:child_process';
import { appCommand } from '@orbitmq/tools';

/** How a run of mqadmin ended. */
export interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs mqadmin as it is shipped; `bundleApps(['mqadmin'])` comes before. @param timeoutMs then it is ended, and its code is -1 */
export function mqadmin(args: readonly string[], timeoutMs = 30_000): Promise<ToolResult> {
  const [program, ...rest] = appCommand('mqadmin', 'bundle');
  return new Promise((resolve) => {
    execFile(program!, [...rest, ...args], { timeout: timeoutMs }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
  });
}
