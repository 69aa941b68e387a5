import { runService } from '@orbitmq/runtime';
import { composeNameServer } from './compose.ts';
import { nameServerConfigSpec } from './config.ts';

await runService(nameServerConfigSpec, composeNameServer);
