import type { OpenedShard } from '@orbitmq/shard';

/** Something that is done on a shard while this member leads it. */
export interface TenureTask {
  /** The member leads, and nobody is served yet: what this does in the same step counts before all else. */
  begin(shard: OpenedShard): void;
  /** The shard is used no more when this returns. Idempotent. */
  end(): void;
}
