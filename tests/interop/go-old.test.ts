import { prepareClient } from './clients.ts';
import { describeInterop } from './scenarios.ts';

describeInterop(await prepareClient('go-old'));
