export { bundleApps } from './bundle.ts';
export { freePort, isPortFree } from './free-port.ts';
export { endWithThisProcess } from './orphans.ts';
export { APPS, type App, appCommand, NODE_FLAGS, ROOT } from './repository.ts';
export { waitForBrokers } from './routes.ts';
export { type ProcessEnd, ServiceProcess, type ServiceProcessOptions } from './service-process.ts';
export type { TestRecord } from './test-record.ts';
export { runSteps, type TestStep, testFiles } from './test-steps.ts';
