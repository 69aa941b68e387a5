import { composeBroker, replicaConfigSpec } from '@orbitmq/node';
import { runService } from '@orbitmq/runtime';

await runService(replicaConfigSpec, composeBroker);
