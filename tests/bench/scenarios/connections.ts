import { setTimeout as sleep } from 'node:timers/promises';
import { IdleConnections } from '../idle-connections.ts';
import { readRssBytes } from '../measure.ts';
import { callHeaders } from '../requests.ts';
import { type Scenario, ScenarioTargets } from '../scenario.ts';
import type { BenchTarget } from '../targets.ts';

const NAME = 'connections';
/** What was garbage has been collected by then, as far as it will be. */
const SETTLE_MS = 5_000;

/** What connections cost a broker that do nothing. */
export const connections: Scenario = {
  name: NAME,
  summary: '10,000 connections that do nothing: RSS, before and after a call on each',
  async run(context) {
    const { connectionCount } = context.options;
    await ScenarioTargets.use(NAME, context, { flushDiskType: 'ASYNC_FLUSH' }, async (targets) => {
      for (const target of targets.brokers) {
        const idle = new IdleConnections(target.port);
        const before = await settledRssBytes(target);
        const add = async (name: string): Promise<void> => {
          const after = await settledRssBytes(target);
          const figures = { rssMib: after / 2 ** 20, connectionKib: (after - before) / connectionCount / 1024 };
          targets.add(target, name, { figures });
        };
        try {
          targets.add(target, 'no connections', { figures: { rssMib: before / 2 ** 20 } });
          await idle.open(connectionCount);
          await add(`${connectionCount} connections`);
          await idle.call(callHeaders('bench').send.headers);
          await add('… after a call on each');
        } finally {
          idle.close();
        }
      }
    });
  },
};

async function settledRssBytes(target: BenchTarget): Promise<number> {
  await sleep(SETTLE_MS);
  return readRssBytes(target.pids);
}
