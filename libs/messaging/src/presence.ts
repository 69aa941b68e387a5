import { checkGroupName } from '@orbitmq/protocol';
import type {
  HeartbeatRequest,
  HeartbeatResponse,
  NotifyClientTerminationRequest,
  NotifyClientTerminationResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { ClientType } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import { OK_STATUS } from './answers.ts';
import { callerOf, clientIdOf } from './caller.ts';
import { checkClientType } from './client-settings.ts';
import type { MessagingContext } from './context.ts';
import { isLiteClient } from './lite-mode.ts';

/**
 * Heartbeat: keeps a client known. A client that has not told its settings yet gets OK too: some send heartbeats
 * first, and Go's probe of a broken connection comes without any metadata.
 */
export async function heartbeat(
  context: MessagingContext,
  request: HeartbeatRequest,
  call: Call,
): Promise<HeartbeatResponse> {
  const isProbe = request.group === undefined && request.clientType === ClientType.CLIENT_TYPE_UNSPECIFIED;
  if (isProbe && call.metadata.get('x-mq-client-id') === undefined) return { status: OK_STATUS };
  const caller = callerOf(call);
  const groupName = request.group?.name ?? '';
  checkClientType(request.clientType, false);
  if (groupName !== '' && !isLiteClient(request.clientType)) await context.provision.group(groupName);
  const session = context.sessions.obtain(caller);
  if (groupName !== '') session.group ??= groupName;
  if (session.clientType === ClientType.CLIENT_TYPE_UNSPECIFIED) session.clientType = request.clientType;
  return { status: OK_STATUS };
}

/** NotifyClientTermination: what the client held is visible a moment later, and its long polls end. */
export function notifyClientTermination(
  context: MessagingContext,
  request: NotifyClientTerminationRequest,
  call: Call,
): NotifyClientTerminationResponse {
  const clientId = clientIdOf(call);
  if (request.group !== undefined && request.group.name !== '') checkGroupName(request.group.name);
  const session = context.sessions.seen(clientId);
  if (session) context.sessions.remove(session);
  return { status: OK_STATUS };
}
