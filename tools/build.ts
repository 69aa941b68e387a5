import { bundleApps } from './bundle.ts';

const startedMs = performance.now();
const built = await bundleApps();
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
console.log(
  built.length === 0 ? 'Nothing to build: the bundles are fresh.' : `Built ${built.join(', ')} (${seconds} s).`,
);
