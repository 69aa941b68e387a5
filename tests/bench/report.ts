import type { LoadFigures } from './measurement.ts';
import { type FlushDiskType, isNoop, type TargetName } from './targets.ts';

/** What is measured. Receives take 32 messages; each is acknowledged by a call of its own, or all of them by one. */
export type Operation = 'send' | 'receive, ack each' | 'receive, ack all';

/** One row of the comparison of whole paths: medians of its rounds. */
export interface Row extends LoadFigures {
  readonly target: TargetName;
  readonly operation: Operation;
  readonly flushDiskType: FlushDiskType;
  readonly concurrency: number;
  readonly failure: string | undefined;
}

const COLUMNS: readonly (readonly [title: string, width: number, text: (row: Row) => string])[] = [
  ['target', 16, (row) => row.target],
  ['operation', 19, (row) => row.operation],
  ['flush', 7, (row) => row.flushDiskType.slice(0, 5).replace('_', '')],
  ['calls', 6, (row) => String(row.concurrency)],
  ['msgs/s', 9, (row) => row.messagesPerSecond.toFixed(0)],
  ['p50 ms', 9, (row) => row.p50Ms.toFixed(2)],
  ['p99 ms', 9, (row) => row.p99Ms.toFixed(2)],
  ['p999 ms', 9, (row) => row.p999Ms.toFixed(2)],
  ['µs/msg', 8, (row) => row.serverCpuMicroseconds.toFixed(1)],
  ['load µs', 8, (row) => row.generatorCpuMicroseconds.toFixed(1)],
  ['load %', 7, (row) => (row.generatorBusyShare * 100).toFixed(0)],
  ['B/msg', 8, (row) => row.writtenBytes.toFixed(0)],
  ['RSS MiB', 8, (row) => row.rssMib.toFixed(0)],
  ['failed', 7, (row) => String(row.failureCount)],
];

/** Head of the table. */
export function tableHead(): string {
  return COLUMNS.map(([title, width]) => title.padStart(width)).join('');
}

/** One line of the table. */
export function tableLine(row: Row): string {
  const cells = COLUMNS.map(([, width, text]) => text(row).padStart(width)).join('');
  return row.failure === undefined ? cells : `${cells}  ${row.failure.slice(0, 160)}`;
}

/** What the figures mean against the server that does nothing, and against the original. */
export function ratioLines(rows: readonly Row[]): string[] {
  const find = (target: TargetName, row: Row) =>
    rows.find((other) => other.target === target && isSameLoad(other, row));
  const lines: string[] = [];
  for (const row of rows.filter((candidate) => candidate.target.startsWith('orbitmq'))) {
    const [noop, apache] = [find(row.target.replace('orbitmq', 'noop') as TargetName, row), find('apache', row)];
    const parts: string[] = [];
    if (noop !== undefined) {
      parts.push(
        `CPU per message ${ratio(row.serverCpuMicroseconds, noop.serverCpuMicroseconds)} of a handler that does nothing`,
      );
    }
    if (apache !== undefined) {
      parts.push(
        `against Apache RocketMQ: messages/s ${ratio(row.messagesPerSecond, apache.messagesPerSecond)}`,
        `CPU per message ${ratio(row.serverCpuMicroseconds, apache.serverCpuMicroseconds)}`,
        `p99 ${ratio(row.p99Ms, apache.p99Ms)}`,
        `RSS ${ratio(row.rssMib, apache.rssMib)}`,
      );
    }
    if (parts.length > 0) lines.push(`${describeLoad(row)}: ${parts.join(', ')}`);
  }
  return [...lines, ...syncLines(rows)];
}

function syncLines(rows: readonly Row[]): string[] {
  return rows
    .filter((row) => row.operation === 'send' && row.flushDiskType === 'SYNC_FLUSH' && !isNoop(row.target))
    .flatMap((sync) => {
      const isAsync = (row: Row) => row.flushDiskType === 'ASYNC_FLUSH' && row.target === sync.target;
      const async = rows.find((row) => isAsync(row) && isSameLoad({ ...row, flushDiskType: sync.flushDiskType }, sync));
      if (async === undefined) return [];
      const share = ratio(sync.messagesPerSecond, async.messagesPerSecond);
      return [`${sync.target} send at ${sync.concurrency}: SYNC_FLUSH ${share} of ASYNC_FLUSH`];
    });
}

function isSameLoad(a: Row, b: Row): boolean {
  return a.operation === b.operation && a.flushDiskType === b.flushDiskType && a.concurrency === b.concurrency;
}

function describeLoad(row: Row): string {
  return `${row.operation} ${row.flushDiskType} at ${row.concurrency}`;
}

function ratio(a: number, b: number): string {
  return `${(a / b).toFixed(2)} ×`;
}
