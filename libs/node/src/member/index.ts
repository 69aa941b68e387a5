export { type BootMark, readBootMark } from './boot-mark.ts';
export type { InSyncFile } from './in-sync-file.ts';
export { shardFiles } from './shard-files.ts';
export { type MemberEvents, ShardMember, type ShardMemberOptions, type Tenure } from './shard-member.ts';
