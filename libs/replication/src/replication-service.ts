import { timingSafeEqual } from 'node:crypto';
import { MqError } from '@orbitmq/base';
import {
  type FollowerMessage,
  type LeaderMessage,
  LeaderMessage_Refusal_Reason as Reason,
  ReplicationServiceDefinition,
  type SettleRequest,
  type SettleResponse,
} from '@orbitmq/protocol/orbitmq.replication.v1';
import { type BoundMethod, bidi, type Call, EndableRequests, RpcError, type Sink, unary } from '@orbitmq/rpc';
import { encodeLeaderMessage } from './encode.ts';
import type { LeaderReplication } from './leader.ts';
import { SETTLEMENTS_MAX } from './settlement-sink.ts';
import type { LeaderStream } from './stream.ts';

/** Metadata key of the key that members of a shard share. */
export const ACCESS_KEY = 'x-orbitmq-ha-access-key';

/** Takes followers. */
export interface FollowerAcceptor {
  /** Serves one follower until its stream ends. Never throws. */
  accept(stream: LeaderStream): Promise<void>;
}

export interface ReplicationServiceOptions {
  /** The replication of the present tenure; undefined while this member does not lead. */
  leader(): LeaderReplication | undefined;
  /** Takes followers in the place of a leader that is about to lead; undefined while there is none. */
  beginner(): FollowerAcceptor | undefined;
  /** What followers must show; undefined = nothing. */
  readonly accessKey: string | undefined;
}

/** The methods of `orbitmq.replication.v1.ReplicationService`, for a member's replication port. */
export function replicationService(options: ReplicationServiceOptions): BoundMethod[] {
  return [
    bidi(
      ReplicationServiceDefinition,
      'follow',
      async (requests, call, sink) => {
        checkAccess(call, options.accessKey);
        const acceptor = options.leader() ?? options.beginner();
        if (acceptor === undefined) await refuse(sink);
        else await acceptor.accept(leaderStream(requests, sink));
      },
      { encode: encodeLeaderMessage },
    ),
    unary(ReplicationServiceDefinition, 'settle', (request, call) => {
      checkAccess(call, options.accessKey);
      return settle(options.leader(), request);
    }),
  ];
}

/** @throws RpcError UNAUTHENTICATED */
function checkAccess(call: Call, accessKey: string | undefined): void {
  if (accessKey === undefined) return;
  const wanted = Buffer.from(accessKey);
  const shown = Buffer.from(call.metadata.get(ACCESS_KEY) ?? '');
  if (shown.length === wanted.length && timingSafeEqual(shown, wanted)) return;
  throw new RpcError('UNAUTHENTICATED', 'the access key of the replication port is missing or wrong: set haAccessKey');
}

async function settle(leader: LeaderReplication | undefined, request: SettleRequest): Promise<SettleResponse> {
  if (leader === undefined) return { epoch: 0n, refusal: NOT_LEADER, commonOffset: 0n };
  if (request.settlements.length > SETTLEMENTS_MAX) {
    throw new RpcError('INVALID_ARGUMENT', `at most ${SETTLEMENTS_MAX} settlements may come in one request`);
  }
  try {
    return await leader.settle(request);
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    const isInvalid = error.code === 'BAD_REQUEST';
    throw new RpcError(isInvalid ? 'INVALID_ARGUMENT' : 'UNAVAILABLE', error.message);
  }
}

async function refuse(sink: Sink<LeaderMessage>): Promise<void> {
  await sink.write({
    sequence: 1n,
    epoch: 0n,
    confirmedOffset: 0n,
    refusal: NOT_LEADER,
  });
}

const NOT_LEADER = { reason: Reason.REASON_NOT_LEADER, message: 'this member does not lead' };

function leaderStream(requests: AsyncIterable<FollowerMessage>, sink: Sink<LeaderMessage>): LeaderStream {
  const incoming = new EndableRequests(requests);
  return { write: (message) => sink.write(message), close: () => incoming.end(), incoming };
}
