export { type Clock, delay, systemClock, type Timer } from './clock.ts';
export { CODES, type CodeName } from './codes.ts';
export { AssertionError, assert, type ErrorDetails, MqError, quoted } from './errors.ts';
export { javaStringHash } from './hash.ts';
export { type Random, seededRandom, systemRandom } from './random.ts';
export { GIB, HOUR_MS, KIB, MIB, MINUTE_MS, SECOND_MS } from './units.ts';
