export { type BootMark, readBootMark } from './boot-mark.ts';
export type { InSyncFile } from './in-sync-file.ts';
export type { MemberEvents, ShardMemberOptions, Tenure } from './member-options.ts';
export { shardFiles } from './shard-files.ts';
export { ShardMember } from './shard-member.ts';
