/** Longest SQL expression, characters. */
export const SQL_LENGTH_MAX = 16 * 1024;
/** Deepest nesting of an SQL expression: parentheses, signs and NOT, and comparisons of comparisons. */
export const SQL_DEPTH_MAX = 64;
/** Most values and property names of one SQL expression, those in lists included. */
export const SQL_TERMS_MAX = 1024;
/** Most CONTAINS of one SQL expression: each looks through a whole property. */
export const SQL_CONTAINS_MAX = 64;
