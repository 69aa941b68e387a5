import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const GROUPS = ['generic', 'http2', 'hpack'];
const TIMEOUT_S = 2;
/** A case that has failed is tried again with more time: the machine may have been busy. */
const SECOND_TIMEOUT_S = 6;
const PROCESS_MS_MAX = 150_000;

/** How one case of h2spec has gone. */
export interface H2SpecResult {
  /** `group/section/number`, by which h2spec can be told to run it alone. */
  readonly id: string;
  readonly title: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
}

/**
 * Runs all cases of h2spec, the strict ones included, against a port.
 * @param path target of its requests
 */
export function runH2Spec(program: string, port: number, path: string): Promise<H2SpecResult[]> {
  return runCases(program, port, path, GROUPS, TIMEOUT_S);
}

/** Whether a case passes when it runs alone, with time. */
export async function passesAlone(program: string, port: number, path: string, id: string): Promise<boolean> {
  const results = await runCases(program, port, path, [id], SECOND_TIMEOUT_S);
  return results.length === 1 && results[0]!.outcome === 'passed';
}

async function runCases(
  program: string,
  port: number,
  path: string,
  specs: readonly string[],
  timeoutS: number,
): Promise<H2SpecResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'orbitmq-h2spec-'));
  try {
    const report = join(folder, 'report.xml');
    const options = ['-S', '-h', '127.0.0.1', '-p', `${port}`, '-P', path, '-o', `${timeoutS}`, '-j', report];
    await new Promise<void>((resolve) => {
      // Its exit code says only that some case has failed, which the report says better.
      execFile(program, [...options, ...specs], { timeout: PROCESS_MS_MAX, maxBuffer: 1 << 26 }, () => resolve());
    });
    return parseReport(readFileSync(report, 'utf8'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The report is JUnit's XML but for control characters in its texts, which a parser of XML would refuse. */
function parseReport(report: string): H2SpecResult[] {
  const results: H2SpecResult[] = [];
  const numbers = new Map<string, number>();
  const pattern = /<testcase package="([^"]*)" classname="([^"]*)"[^>]*>(.*?)<\/testcase>/gs;
  for (const [, section = '', title = '', content = ''] of report.matchAll(pattern)) {
    const number = (numbers.get(section) ?? 0) + 1;
    numbers.set(section, number);
    const isSkipped = content.includes('<skipped');
    const hasFailed = content.includes('<error') || content.includes('<failure');
    const outcome = isSkipped ? 'skipped' : hasFailed ? 'failed' : 'passed';
    results.push({ id: `${section}/${number}`, title, outcome });
  }
  return results;
}
