export { memoryVfs } from './memory-vfs.ts';
export { nodeVfs } from './node-vfs.ts';
export { type Vfs, VfsError, type VfsFile, type VfsStat } from './vfs.ts';
