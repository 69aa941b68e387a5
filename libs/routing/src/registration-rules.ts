import { quoted } from '@orbitmq/base';
import { AddressScheme, type Endpoints } from '@orbitmq/protocol/apache.rocketmq.v2';
import {
  type BrokerIdentity,
  type BrokerStatus,
  type RegisterRequest_TopicChanges,
  Role,
  type Topic,
} from '@orbitmq/protocol/orbitmq.route.v1';
import { RegistrationError } from './registration-error.ts';

/** Topics that one message may put and remove. */
export const TOPICS_PER_MESSAGE_MAX = 1000;
/** Topics that one broker may have. */
export const TOPICS_PER_BROKER_MAX = 100_000;
const NAME_LENGTH_MAX = 255;
const ADDRESSES_MAX = 16;
const HOST = /^[\x21-\x7e]+$/;
const QUEUES_MAX = 1024;
const PERMISSION_MAX = 7;

/** @throws RegistrationError invalid */
export function checkIdentity(identity: BrokerIdentity | undefined): BrokerIdentity {
  if (!identity) throw invalid('identity', 'missing', 'a broker must say who it is');
  checkName('cluster', identity.cluster);
  checkName('broker_name', identity.brokerName);
  if (identity.brokerId < 0) throw invalid('broker_id', identity.brokerId, 'must be 0 for the master, > 0 for a slave');
  if (identity.role !== Role.ROLE_MASTER && identity.role !== Role.ROLE_SLAVE) {
    throw invalid('role', identity.role, 'must be master or slave');
  }
  checkEndpoints(identity.clientEndpoints);
  if (identity.adminAddress.length > NAME_LENGTH_MAX) throw invalid('admin_address', identity.adminAddress, 'too long');
  if (identity.replicationAddress.length > NAME_LENGTH_MAX) {
    throw invalid('replication_address', identity.replicationAddress, 'too long');
  }
  if (identity.version.length > NAME_LENGTH_MAX) throw invalid('version', identity.version, 'too long');
  return identity;
}

/** @throws RegistrationError invalid */
export function checkStatus(status: BrokerStatus | undefined): BrokerStatus {
  if (!status) throw invalid('status', 'missing', 'a broker must tell its permission');
  if (!isWithin(status.permission, 0, PERMISSION_MAX)) throw invalid('permission', status.permission, 'must be 0…7');
  const policy = status.autoCreate;
  if (policy?.enabled && !isWithin(policy.queueCount, 1, QUEUES_MAX)) {
    throw invalid('auto_create.queue_count', policy.queueCount, `must be 1…${QUEUES_MAX}`);
  }
  if (policy && policy.messageTypes.length > 16) {
    throw invalid('auto_create.message_types', policy.messageTypes.length, 'too many');
  }
  return status;
}

/** @throws RegistrationError invalid */
export function checkDialled(address: string | undefined): string | undefined {
  if (address !== undefined && address.length > NAME_LENGTH_MAX) throw invalid('dialled', address, 'too long');
  return address;
}

/** @throws RegistrationError invalid */
export function checkChanges(changes: RegisterRequest_TopicChanges): void {
  const count = changes.put.length + changes.removed.length;
  if (count > TOPICS_PER_MESSAGE_MAX) {
    throw invalid('topics', count, `at most ${TOPICS_PER_MESSAGE_MAX} may come in one message`);
  }
  for (const topic of changes.put) checkTopic(topic);
  for (const name of changes.removed) checkName('removed', name);
}

function checkTopic(topic: Topic): void {
  checkName('topic.name', topic.name);
  if (!isWithin(topic.readQueueCount, 1, QUEUES_MAX) || !isWithin(topic.writeQueueCount, 1, QUEUES_MAX)) {
    const counts = `${topic.readQueueCount} read, ${topic.writeQueueCount} write`;
    throw invalid(`queue count of topic ${quoted(topic.name)}`, counts, `must be 1…${QUEUES_MAX}`);
  }
  if (!isWithin(topic.permission, 0, PERMISSION_MAX)) {
    throw invalid(`permission of topic ${quoted(topic.name)}`, topic.permission, 'must be 0…7');
  }
}

function checkEndpoints(endpoints: Endpoints | undefined): void {
  const addresses = endpoints?.addresses ?? [];
  if (!endpoints || !isWithin(addresses.length, 1, ADDRESSES_MAX)) {
    throw invalid('client_endpoints', addresses.length, `1…${ADDRESSES_MAX} addresses must be given`);
  }
  if (endpoints.scheme === AddressScheme.ADDRESS_SCHEME_UNSPECIFIED) {
    throw invalid('client_endpoints.scheme', endpoints.scheme, 'clients refuse a route without a scheme');
  }
  if (endpoints.scheme === AddressScheme.DOMAIN_NAME && addresses.length !== 1) {
    throw invalid('client_endpoints', addresses.length, 'clients refuse a domain name with more than one address');
  }
  for (const { host, port } of addresses) {
    checkName('client_endpoints.host', host);
    if (!HOST.test(host))
      throw invalid('client_endpoints.host', host, 'must be visible ASCII characters, to be dialled');
    if (!isWithin(port, 1, 65_535)) throw invalid('client_endpoints.port', port, 'must be 1…65535');
  }
}

function checkName(field: string, name: string): void {
  if (!isWithin(name.length, 1, NAME_LENGTH_MAX)) {
    throw invalid(field, name, `must have 1…${NAME_LENGTH_MAX} characters`);
  }
}

function isWithin(value: number, low: number, high: number): boolean {
  return value >= low && value <= high;
}

function invalid(field: string, value: string | number, rule: string): RegistrationError {
  return new RegistrationError('invalid', `registration refused: ${field} is ${quoted(String(value))}; ${rule}`);
}
