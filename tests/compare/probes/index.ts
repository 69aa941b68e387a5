import type { Probe } from '../probe.ts';
import { clientProbes } from './clients.ts';
import { deliveryProbes } from './delivery.ts';
import { handleProbes } from './handles.ts';
import { liteProbes } from './lite.ts';
import { groupNameProbes, topicNameProbes } from './names.ts';
import { orderProbes } from './order.ts';
import { pullProbes } from './pull.ts';
import { receiveProbes } from './receive.ts';
import { routeProbes } from './routes.ts';
import { sendProbes } from './send.ts';
import { timedProbes } from './timed.ts';
import { transactionProbes } from './transactions.ts';

/** Everything that both sides are asked. */
export const probes: readonly Probe[] = [
  topicNameProbes,
  groupNameProbes,
  clientProbes,
  routeProbes,
  sendProbes,
  receiveProbes,
  handleProbes,
  deliveryProbes,
  orderProbes,
  timedProbes,
  transactionProbes,
  pullProbes,
  liteProbes,
].flat();
