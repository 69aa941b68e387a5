import { brokerConfigSpec, composeBroker } from '@orbitmq/node';
import { runService } from '@orbitmq/runtime';

await runService(brokerConfigSpec, composeBroker);
