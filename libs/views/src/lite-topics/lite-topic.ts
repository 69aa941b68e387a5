import type { Queue } from '../metadata/types.ts';

/** Lite topics have queue ids from here on; those of ordinary queues are below. */
export const LITE_QUEUE_ID_MIN = 65_536;

/** One life of a lite topic: a queue below a topic. Only the view of lite topics changes it. */
export class LiteTopic implements Queue {
  readonly uid: number;
  readonly topicUid: number;
  readonly name: string;
  /** Shard time of its last message, milliseconds. */
  lastSentMs: number;
  /** Neighbours among the lite topics of its parent, by the order in which they were sent to last. */
  older: LiteTopic | undefined = undefined;
  newer: LiteTopic | undefined = undefined;

  constructor(uid: number, topicUid: number, name: string, lastSentMs: number) {
    this.uid = uid;
    this.topicUid = topicUid;
    this.name = name;
    this.lastSentMs = lastSentMs;
  }

  /** Stands for this life: queue uids are never used again. */
  get id(): number {
    return LITE_QUEUE_ID_MIN + this.uid;
  }
}
