/**
 * Holds our text of apache.rocketmq.v2 against the one that an official client package ships: every message, field,
 * enum value and method that is in both has to be the same on the wire, nothing official may be missing in ours, and
 * what only ours has is listed here by name.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fromBinary, isFieldSet } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import { DESCRIPTOR_SET_BASE64 } from '@orbitmq/protocol/descriptors';

const PACKAGE = 'apache.rocketmq.v2';
const FILES = ['definition', 'service', 'admin'].map((name) => `apache/rocketmq/v2/${name}.proto`);
const resolvePackage = createRequire(import.meta.url).resolve;

/** What the client package of today does not know yet: newer fields and values, and nearly all of the Admin service. */
const ONLY_OURS = [
  'Admin.AdminSendMessage',
  'Admin.DeleteSubscription',
  'Admin.DescribeGroupAccumulation',
  'Admin.DescribeSubscription',
  'Admin.DescribeTopicStatus',
  'Admin.GetConsumerRunningInfo',
  'Admin.GetProxyRuntimeStats',
  'Admin.GetTopicRoute',
  'Admin.ListConsumerConnection',
  'Admin.ListSubscription',
  'Admin.PrintThreadStackTrace',
  'Admin.QueryMessage',
  'Admin.QueryTimeSpan',
  'Admin.ResetGroupOffset',
  'Admin.VerifyMessage',
  'AdminSendMessageRequest',
  'AdminSendMessageResponse',
  'ClientInfo',
  'Code.INVALID_CLIENT_PROPERTIES',
  'ConsumeStatus',
  'ConsumerRunningInfo',
  'DeleteSubscriptionRequest',
  'DeleteSubscriptionResponse',
  'DescribeGroupAccumulationRequest',
  'DescribeGroupAccumulationResponse',
  'DescribeSubscriptionRequest',
  'DescribeSubscriptionResponse',
  'DescribeTopicStatusRequest',
  'DescribeTopicStatusResponse',
  'GetConsumerRunningInfoRequest',
  'GetConsumerRunningInfoResponse',
  'GetProxyRuntimeStatsRequest',
  'GetProxyRuntimeStatsResponse',
  'GetTopicRouteRequest',
  'GetTopicRouteResponse',
  'ListConsumerConnectionRequest',
  'ListConsumerConnectionResponse',
  'ListMessageRequest',
  'ListMessageResponse',
  'ListSubscriptionRequest',
  'ListSubscriptionResponse',
  'MessageModel',
  'MessageQueueItem',
  'PrintThreadStackTraceRequest',
  'PrintThreadStackTraceResponse',
  'ProcessQueueInfo',
  'QueryTimeSpanRequest',
  'QueryTimeSpanResponse',
  'ResetGroupOffsetRequest',
  'ResetGroupOffsetResponse',
  'Settings.ClientPropertiesEntry',
  'Settings.client_properties',
  'SubscriptionInfo',
  'VerifyMessageRequest',
  'VerifyMessageResponse',
];

/** What the wire depends on, one fact a name: `Message.field` → number, type, label, oneof and so on. */
type Facts = Map<string, string>;

function fieldFact(message: DescriptorProto, field: FieldDescriptorProto): string {
  const inOneof = isFieldSet(field, FieldDescriptorProtoSchema.field.oneofIndex) && !field.proto3Optional;
  return [
    field.number,
    FieldDescriptorProto_Type[field.type],
    field.typeName,
    FieldDescriptorProto_Label[field.label],
    field.proto3Optional ? 'with presence' : '',
    inOneof ? `oneof ${message.oneofDecl[field.oneofIndex]!.name}` : '',
    field.jsonName,
    field.options?.packed ?? '',
  ].join(' ');
}

function addEnum(facts: Facts, scope: string, { name, value, options }: EnumDescriptorProto): void {
  facts.set(`${scope}.${name}`, `enum ${options?.allowAlias ?? false}`);
  for (const { name: valueName, number } of value) facts.set(`${scope}.${name}.${valueName}`, `value ${number}`);
}

function addMessage(facts: Facts, scope: string, message: DescriptorProto): void {
  const name = `${scope}.${message.name}`;
  facts.set(name, `message ${message.options?.mapEntry ?? false}`);
  for (const field of message.field) facts.set(`${name}.${field.name}`, fieldFact(message, field));
  for (const nested of message.nestedType) addMessage(facts, name, nested);
  for (const nested of message.enumType) addEnum(facts, name, nested);
}

function factsOf(files: readonly FileDescriptorProto[]): Facts {
  const facts: Facts = new Map();
  for (const file of files.filter(({ package: protoPackage }) => protoPackage === PACKAGE)) {
    facts.set(file.name, file.syntax);
    for (const message of file.messageType) addMessage(facts, PACKAGE, message);
    for (const descriptor of file.enumType) addEnum(facts, PACKAGE, descriptor);
    for (const service of file.service) {
      facts.set(`${PACKAGE}.${service.name}`, 'service');
      for (const { name, inputType, outputType, clientStreaming, serverStreaming } of service.method) {
        const fact = `method ${clientStreaming} ${inputType} ${serverStreaming} ${outputType}`;
        facts.set(`${PACKAGE}.${service.name}.${name}`, fact);
      }
    }
  }
  return facts;
}

function compileOfficial(): readonly FileDescriptorProto[] {
  const folder = mkdtempSync(join(tmpdir(), 'orbitmq-conformance-'));
  try {
    const protocHome = dirname(resolvePackage('protoc/package.json'));
    const target = join(folder, 'descriptors');
    const result = spawnSync(
      process.execPath,
      [
        join(protocHome, 'protoc.cjs'),
        `-I${join(dirname(resolvePackage('rocketmq-client-nodejs/package.json')), 'proto')}`,
        `-I${join(protocHome, 'include')}`,
        `--descriptor_set_out=${target}`,
        ...FILES,
      ],
      { encoding: 'utf8' },
    );
    assert.equal(result.status, 0, result.stderr);
    return fromBinary(FileDescriptorSetSchema, readFileSync(target)).file;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const ours = factsOf(fromBinary(FileDescriptorSetSchema, Buffer.from(DESCRIPTOR_SET_BASE64, 'base64')).file);
const official = factsOf(compileOfficial());

test('all that is official is the same in ours', () => {
  assert.ok(official.size > 400, `only ${official.size} facts were found in the client package`);
  const differing = [...official].filter(([name, fact]) => ours.get(name) !== fact);
  assert.deepEqual(
    differing.map(([name, fact]) => ({ name, official: fact, ours: ours.get(name) })),
    [],
  );
});

test('no number or value means something else than it does officially', () => {
  const numbersOf = (facts: Facts): Map<string, string> => {
    const numbers = new Map<string, string>();
    for (const [name, fact] of facts) {
      const number = /^(?:value )?(\d+)(?: |$)/.exec(fact)?.[1];
      if (number !== undefined) numbers.set(`${name.slice(0, name.lastIndexOf('.'))}=${number}`, name);
    }
    return numbers;
  };
  const ourNumbers = numbersOf(ours);
  for (const [place, name] of numbersOf(official)) assert.equal(ourNumbers.get(place), name);
});

test('what only ours has is known by name', () => {
  const extra = [...ours.keys()].filter((name) => !official.has(name));
  const extraAsWhole = extra.filter((name) => !extra.includes(name.slice(0, name.lastIndexOf('.'))));
  assert.deepEqual(extraAsWhole.map((name) => name.slice(PACKAGE.length + 1)).sort(), [...ONLY_OURS].sort());
});
