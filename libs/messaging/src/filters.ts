import { hash } from 'node:crypto';
import { MqError, quoted } from '@orbitmq/base';
import { compileSqlExpression, compileTagExpression } from '@orbitmq/filter';
import { PropertyReader, readTag } from '@orbitmq/protocol';
import { type FilterExpression, FilterType } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { MessageFilter } from '@orbitmq/shard';
import type { MessagingConfig } from './config.ts';

/** Compiled expressions that are kept; consumers send theirs with every receive. */
const CACHED_MAX = 1_024;
/** Characters of all that are kept: a compiled expression takes many times the memory of its text. */
const CACHED_CHARACTERS_MAX = 256 * 1_024;
/** Longer canonical texts are told apart by their hash. */
const IDENTITY_LENGTH_MAX = 200;
/** Characters of an expression that another client's error repeats. */
const SHOWN_LENGTH_MAX = 128;

/** What a consumer subscribes to. */
export interface SubscribedFilter {
  /** Equal for expressions that want the same: whatever their blanks, comments, and order of tags. */
  readonly identity: string;
  /** The expression for people's eyes, shortened. */
  readonly shown: string;
  /** undefined = everything. */
  readonly filter: MessageFilter | undefined;
}

const EVERYTHING: SubscribedFilter = { identity: 'TAG *', shown: 'TAG "*"', filter: undefined };

/** Filters by their expression: read once, kept while they are used. */
export class Filters {
  private readonly config: MessagingConfig;
  /** By type and text; the least recently used comes first. */
  private readonly kept = new Map<string, SubscribedFilter>();
  private keptCharacters = 0;

  constructor(config: MessagingConfig) {
    this.config = config;
  }

  /** Filters that are kept. */
  get size(): number {
    return this.kept.size;
  }

  /**
   * The filter of a subscription.
   * @throws MqError ILLEGAL_FILTER_EXPRESSION
   */
  of(expression: FilterExpression | undefined): SubscribedFilter {
    if (!expression) return EVERYTHING;
    const { type } = expression;
    const text = expression.expression.trim();
    if (type === FilterType.SQL) {
      if (!this.config.enablePropertyFilter) throw sqlIsOff(text);
      return this.keptOr(`SQL ${text}`, () => sqlFilter(text));
    }
    if (type !== FilterType.TAG && type !== FilterType.FILTER_TYPE_UNSPECIFIED) {
      throw new MqError(
        'ILLEGAL_FILTER_EXPRESSION',
        `the type of a filter is TAG (${FilterType.TAG}) or SQL (${FilterType.SQL}); found number ${type}; use one of them`,
      );
    }
    if (text === '' || text === '*') return EVERYTHING;
    return this.keptOr(`TAG ${text}`, () => tagFilter(text));
  }

  private keptOr(key: string, read: () => SubscribedFilter): SubscribedFilter {
    const known = this.kept.get(key);
    if (known) {
      // behind all others
      this.kept.delete(key);
      this.kept.set(key, known);
      return known;
    }
    const made = read();
    this.kept.set(key, made);
    this.keptCharacters += key.length;
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= CACHED_MAX && this.keptCharacters <= CACHED_CHARACTERS_MAX) break;
      this.kept.delete(oldest);
      this.keptCharacters -= oldest.length;
    }
    return made;
  }
}

function tagFilter(text: string): SubscribedFilter {
  const tags = compileTagExpression(text);
  if (tags.acceptsAll) return EVERYTHING;
  return {
    identity: identityOf('TAG', tags.canonical),
    shown: `TAG ${quoted(text, SHOWN_LENGTH_MAX)}`,
    filter: {
      mayMatch: (tagHash) => tags.mayMatch(tagHash),
      matches: (message) => tags.matchesTag(readTag(message.system)),
    },
  };
}

function sqlFilter(text: string): SubscribedFilter {
  const sql = compileSqlExpression(text);
  const reader = new PropertyReader(sql.propertyNames);
  return {
    identity: identityOf('SQL', sql.canonical),
    shown: `SQL ${quoted(text, SHOWN_LENGTH_MAX)}`,
    filter: {
      mayMatch: (tagHash) => sql.mayMatch(tagHash),
      matches: (message) => {
        reader.open(message);
        const wanted = sql.matches(reader.get);
        reader.close();
        return wanted;
      },
    },
  };
}

function identityOf(type: string, canonical: string): string {
  if (canonical.length <= IDENTITY_LENGTH_MAX) return `${type} ${canonical}`;
  return `${type} of ${canonical.length} characters, ${hash('sha256', canonical, 'base64url')}`;
}

function sqlIsOff(text: string): MqError {
  return new MqError(
    'ILLEGAL_FILTER_EXPRESSION',
    `a tag expression is wanted, as SQL filters are turned off on this broker; found SQL ${quoted(text)}; ` +
      'subscribe with tags such as "tagA || tagB", or set enablePropertyFilter=true on the broker',
  );
}
