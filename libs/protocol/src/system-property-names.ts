import { MessageType } from './gen/apache/rocketmq/v2/definition.ts';
import { readMessageGroup, readMessageId, readTag, readTextField, SYSTEM } from './system-properties.ts';
import { WireReader } from './wire/wire-reader.ts';
import { bufferOf, readText } from './wire/wire-text.ts';
import { readMilliseconds } from './wire/wire-time.ts';

/** Reads one property from the content of `Message.system_properties`; undefined when it is not there. */
export type SystemPropertyReader = (system: Uint8Array) => string | undefined;

const MS_PER_SECOND = 1000;

/** System properties by the names under which RocketMQ keeps them, as filter expressions use them. */
export const SYSTEM_PROPERTY_READERS: ReadonlyMap<string, SystemPropertyReader> = new Map<string, SystemPropertyReader>(
  [
    ['TAGS', readTag],
    ['KEYS', readKeys],
    ['UNIQ_KEY', (system) => readMessageId(system) || undefined],
    ['__SHARDINGKEY', readMessageGroup],
    ['TRAN_MSG', (system) => (readNumber(system, SYSTEM.messageType) === MessageType.TRANSACTION ? 'true' : undefined)],
    ['TIMER_DELIVER_MS', (system) => readTime(system, SYSTEM.deliveryTimestamp, 1)],
    ['CHECK_IMMUNITY_TIME_IN_SECONDS', (system) => readTime(system, SYSTEM.recoveryDuration, MS_PER_SECOND)],
    ['TRACE_CONTEXT', (system) => readTextField(system, SYSTEM.traceContext)],
    ['__BORNHOST', (system) => readTextField(system, SYSTEM.bornHost)],
    ['BORN_TIMESTAMP', (system) => readTime(system, SYSTEM.bornTimestamp, 1)],
    ['__LITE_TOPIC', (system) => readTextField(system, SYSTEM.liteTopic)],
    ['_SYS_MSG_PRIORITY_', (system) => readNumber(system, SYSTEM.priority)?.toString()],
  ],
);

/** All keys with a blank between them. */
function readKeys(system: Uint8Array): string | undefined {
  const reader = new WireReader(system);
  const bytes = bufferOf(system);
  let keys: string | undefined;
  while (reader.next()) {
    if (!reader.isBytes(SYSTEM.keys)) continue;
    const key = readText(bytes, reader.valueStart, reader.valueEnd);
    keys = keys === undefined ? key : `${keys} ${key}`;
  }
  return keys;
}

function readNumber(system: Uint8Array, fieldNumber: number): number | undefined {
  const reader = new WireReader(system);
  let value: number | undefined;
  while (reader.next()) if (reader.isVarint(fieldNumber)) value = reader.int32();
  return value;
}

/** A time in units of `unitMs` milliseconds, rounded down. */
function readTime(system: Uint8Array, fieldNumber: number, unitMs: number): string | undefined {
  const reader = new WireReader(system);
  let milliseconds: number | undefined;
  while (reader.next()) if (reader.isBytes(fieldNumber)) milliseconds = readMilliseconds(reader, milliseconds);
  return milliseconds === undefined || Number.isNaN(milliseconds)
    ? undefined
    : String(Math.floor(milliseconds / unitMs));
}
