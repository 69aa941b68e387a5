export { type Vfs, VfsError, type VfsFile, type VfsStat } from './vfs.ts';
