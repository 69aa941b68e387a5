export {
  compileTagExpression,
  TAG_COUNT_MAX,
  TAG_EXPRESSION_LENGTH_MAX,
  type TagExpression,
} from './tag-expression.ts';
