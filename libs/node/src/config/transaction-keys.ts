import { flag, wholeNumber } from '@orbitmq/runtime';

/** How transactions are looked after. */
export const transactionKeys = {
  transactionTimeOut: wholeNumber({
    default: 6_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    description:
      'Age from which the producer of a half message is asked about it, where the producer itself sets no longer time.',
  }),
  transactionCheckInterval: wholeNumber({
    default: 30_000,
    min: 1_000,
    max: 3_600_000,
    unit: 'ms',
    description:
      'Pause between two checks of one transaction, where neither its topic (attribute `transaction.check.interval`) nor its producer (user property `ORBITMQ_TRANSACTION_CHECK_INTERVAL`) sets another one; both in ms, 1 000…3 600 000.',
  }),
  transactionCheckMax: wholeNumber({
    default: 15,
    min: 1,
    max: 10_000,
    description:
      'Checks of one transaction; it is discarded when it would be checked again. A check without a connected producer does not count.',
  }),
  transactionOpenHoursMax: wholeNumber({
    default: 720,
    min: 1,
    max: 87_600,
    unit: 'h',
    description: 'A transaction that is open for longer is discarded, whether anybody could be asked or not.',
  }),
  transactionOpenMax: wholeNumber({
    default: 500_000,
    min: 1,
    max: 50_000_000,
    description:
      'Transactions that may be open, 60 bytes of memory each; more half messages are refused with TOO_MANY_REQUESTS.',
  }),
  rejectTransactionMessage: flag({
    default: false,
    description: 'Refuse half messages; open transactions can still be ended.',
  }),
} as const;
