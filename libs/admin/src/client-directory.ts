import type { ClientType } from '@orbitmq/protocol/apache.rocketmq.v2';

/** A client that is connected to this broker. */
export interface ConnectedClient {
  readonly clientId: string;
  readonly clientType: ClientType;
  readonly language: string;
  readonly version: string;
  /** Undefined for producers. */
  readonly group: string | undefined;
  /** Topics that a producer sends to, or a consumer subscribes to, with its expression. */
  readonly topics: readonly { readonly topic: string; readonly expression: string | undefined }[];
  /** Monotonic milliseconds of its last sign of life. */
  readonly lastSeenMs: number;
}

/** A client that reads lite topics. */
export interface LiteReader {
  readonly clientId: string;
  readonly group: string;
  /** The parent. */
  readonly topic: string;
  /** What it subscribes to. */
  readonly liteTopics: ReadonlySet<string>;
  /** It reads all lite topics of the parent. */
  readonly isWildcard: boolean;
  /** Monotonic milliseconds of when it last said so. */
  readonly refreshedMs: number;
}

/** Who is connected to this broker; the messaging service knows. */
export interface ClientDirectory {
  connections(): readonly ConnectedClient[];
  liteReaders(): readonly LiteReader[];
}
