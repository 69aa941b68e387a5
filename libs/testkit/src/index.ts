export { SimClock, type SimProcessClock } from './sim-clock.ts';
export { CRASH_POLICIES, type CrashPolicy } from './sim-crash.ts';
export { SimDisk, type SimDiskOptions, type SimFault, type SimOperation } from './sim-disk.ts';
export { type SimLink, SimNetwork, type SimSocket } from './sim-network.ts';
export { type VfsUnderTest, vfsContract } from './vfs-contract.ts';
