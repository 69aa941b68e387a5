import { MessageType } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Scenario, type ScenarioContext, ScenarioTargets } from '../scenario.ts';
import { SendRequestTemplate } from '../send-template.ts';
import type { BenchTarget } from '../targets.ts';
import { runTransactionLoad } from '../transaction-load.ts';

const NAME = 'transactions';
const TOPIC = 'bench-transaction';

/** Half messages and their commits. */
export const transactions: Scenario = {
  name: NAME,
  summary: 'half message and commit: whole transactions a second',
  run: (context) =>
    ScenarioTargets.use(NAME, context, { flushDiskType: 'ASYNC_FLUSH' }, (targets) => measure(context, targets)),
};

async function measure({ options }: ScenarioContext, targets: ScenarioTargets): Promise<void> {
  const template = new SendRequestTemplate({
    topic: TOPIC,
    bodyBytes: options.bodyBytes,
    type: MessageType.TRANSACTION,
  });
  const load = ({ port }: BenchTarget, concurrency: number, durationMs: number) =>
    runTransactionLoad({ port, topic: TOPIC, template, concurrency, durationMs });
  for (const target of targets.brokers) {
    await target.createTopic(TOPIC, 'TRANSACTION');
    await load(target, 64, options.warmUpMs);
  }
  for (const concurrency of options.concurrencies) {
    await targets.compare(`transactions at ${concurrency}`, (target) => load(target, concurrency, options.durationMs));
  }
}
