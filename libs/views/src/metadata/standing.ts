/** What was said about a shard as a whole. Times are of the wall clock, milliseconds since 1970. */
export interface ShardStanding {
  /** The shard is being emptied; undefined while it is in service. */
  readonly drain: Drain | undefined;
  /** What the shard took over of topics and groups that its cluster had before it; undefined when it never was to. */
  readonly topicCopy: TopicCopy | undefined;
}

export interface Drain {
  /** Routes show the shard as not writable from here on. */
  readonly sinceMs: number;
  /** Sends are taken until then from clients that have an older route. */
  readonly refusesFromMs: number;
}

export interface TopicCopy {
  /** When the shard began: what is younger was made with it in the cluster. */
  readonly sinceMs: number;
  /** When it was over; undefined while it is to be done. */
  readonly endMs: number | undefined;
}

/** A shard of which nobody has said anything. */
export const NO_STANDING: ShardStanding = { drain: undefined, topicCopy: undefined };

/** As plain JSON values, in records and snapshots. */
export interface StandingFields {
  drain: { sinceMs: number; refusesFromMs: number } | null;
  topicCopy: { sinceMs: number; endMs: number | null } | null;
}

export function standingToFields({ drain, topicCopy }: ShardStanding): StandingFields {
  return {
    drain: drain === undefined ? null : { sinceMs: drain.sinceMs, refusesFromMs: drain.refusesFromMs },
    topicCopy: topicCopy === undefined ? null : { sinceMs: topicCopy.sinceMs, endMs: topicCopy.endMs ?? null },
  };
}

/** The way back from `standingToFields`. */
export function standingFromFields({ drain, topicCopy }: StandingFields): ShardStanding {
  return {
    drain: drain ?? undefined,
    topicCopy: topicCopy === null ? undefined : { sinceMs: topicCopy.sinceMs, endMs: topicCopy.endMs ?? undefined },
  };
}

/** Payload of a record that says how the shard stands from then on. */
export function encodeStanding(standing: ShardStanding): Uint8Array {
  return Buffer.from(JSON.stringify(standingToFields(standing)), 'utf8');
}

export function decodeStanding(payload: Uint8Array): ShardStanding {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8');
  return standingFromFields(JSON.parse(text) as StandingFields);
}
