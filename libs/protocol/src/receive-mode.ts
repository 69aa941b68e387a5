/**
 * Header by which a name server that receives for a client says what it wants of a broker. It asks several brokers for
 * the messages of one receive, and must not be given those of two.
 */
export const RECEIVE_MODE_HEADER = 'x-orbitmq-receive';

/**
 * What a receive does. `wait`, without a header: gives what is there, or waits for it. `take`: gives what is there, and
 * does not wait. `watch`: waits until there may be something, answers OK, and gives nothing; what there is stays where it
 * is, for a `take` that follows at once.
 */
export type ReceiveMode = 'wait' | 'take' | 'watch';

/** The mode that a header's value means. */
export function receiveModeOf(value: string | undefined): ReceiveMode {
  return value === 'take' || value === 'watch' ? value : 'wait';
}
