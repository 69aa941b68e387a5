export type { PropertyLookup } from './sql/evaluation.ts';
export { SQL_CONTAINS_MAX, SQL_DEPTH_MAX, SQL_LENGTH_MAX, SQL_TERMS_MAX } from './sql/limits.ts';
export { compileSqlExpression, type SqlExpression } from './sql/sql-expression.ts';
export {
  compileTagExpression,
  TAG_COUNT_MAX,
  TAG_EXPRESSION_LENGTH_MAX,
  type TagExpression,
} from './tag-expression.ts';
