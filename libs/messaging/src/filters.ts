import { MqError, quoted } from '@orbitmq/base';
import { compileTagExpression } from '@orbitmq/filter';
import { readTag } from '@orbitmq/protocol';
import { type FilterExpression, FilterType } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { MessageFilter } from '@orbitmq/shard';

/** Compiled expressions that are kept; consumers send theirs with every receive. */
const CACHED_MAX = 1_024;

/** Filters by their expression. */
export class Filters {
  private readonly byExpression = new Map<string, MessageFilter>();

  /**
   * The filter of a subscription; undefined when it takes everything.
   * @throws MqError ILLEGAL_FILTER_EXPRESSION
   */
  of(expression: FilterExpression | undefined): MessageFilter | undefined {
    if (!expression) return undefined;
    const text = expression.expression.trim();
    if (expression.type === FilterType.SQL) {
      throw new MqError(
        'ILLEGAL_FILTER_EXPRESSION',
        `SQL filters are not supported yet; found ${quoted(text)}; subscribe with a tag expression such as "tagA || tagB"`,
      );
    }
    if (expression.type !== FilterType.TAG && expression.type !== FilterType.FILTER_TYPE_UNSPECIFIED) {
      throw new MqError(
        'ILLEGAL_FILTER_EXPRESSION',
        `the type of a filter is TAG; found number ${expression.type}; use ${FilterType.TAG}`,
      );
    }
    if (text === '' || text === '*') return undefined;
    const known = this.byExpression.get(text);
    if (known) return known;
    const compiled = compileTagExpression(text);
    if (compiled.acceptsAll) return undefined;
    const filter: MessageFilter = {
      mayMatch: (tagHash) => compiled.mayMatch(tagHash),
      matches: (message) => compiled.matchesTag(readTag(message.system)),
    };
    if (this.byExpression.size >= CACHED_MAX) this.byExpression.clear();
    this.byExpression.set(text, filter);
    return filter;
  }
}
