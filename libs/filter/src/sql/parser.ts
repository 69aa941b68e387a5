import { SQL_CONTAINS_MAX, SQL_DEPTH_MAX, SQL_TERMS_MAX } from './limits.ts';
import { compareNumbers, integerOf, type SqlNumber } from './numbers.ts';
import { refusal } from './refusal.ts';
import type { ConditionNode, NumberNode, OrderOperator, SearchOperator, TruthNode, ValueNode } from './syntax.ts';
import type { Token } from './tokens.ts';

const ORDER_OPERATORS: ReadonlySet<string> = new Set(['<', '<=', '>', '>=']);
/** Keywords that may follow NOT behind a value. */
const NEGATABLE: ReadonlySet<string> = new Set(['CONTAINS', 'STARTSWITH', 'ENDSWITH', 'BETWEEN', 'IN']);
const LEAF_DEPTH = 1;
const TRUTHS: ReadonlyMap<string, TruthNode> = new Map([
  ['TRUE', { kind: 'truth', value: true, depth: LEAF_DEPTH }],
  ['FALSE', { kind: 'truth', value: false, depth: LEAF_DEPTH }],
  ['NULL', { kind: 'truth', value: undefined, depth: LEAF_DEPTH }],
]);

/** A value with the place where it stands, for what is said about it. */
interface Placed {
  readonly node: ValueNode;
  readonly start: number;
}

/**
 * Reads the words of an expression. Loosest first:
 *
 * ```
 *   or          and { OR and }
 *   and         equality { AND equality }
 *   equality    comparison { ( = | <> ) comparison | IS [NOT] NULL }
 *   comparison  unary { ( > | >= | < | <= ) unary
 *                     | [NOT] BETWEEN unary AND unary
 *                     | [NOT] IN ( text { , text } )
 *                     | [NOT] ( CONTAINS | STARTSWITH | ENDSWITH ) text }
 *   unary       { + | - | NOT } ( literal | property | "(" or ")" )
 * ```
 *
 * @throws MqError ILLEGAL_FILTER_EXPRESSION
 */
export function parse(source: string, tokens: readonly Token[]): ConditionNode {
  return new Parser(source, tokens).expression();
}

class Parser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  #position = 0;
  /** Parentheses and prefixes that are open. */
  #openCount = 0;
  #termCount = 0;
  #containsCount = 0;

  constructor(source: string, tokens: readonly Token[]) {
    this.#source = source;
    this.#tokens = tokens;
  }

  expression(): ConditionNode {
    const condition = this.#condition(this.#or());
    if (this.#token.kind !== 'end') {
      this.#refuse('an operator, or the end of the expression', remedyBehind(this.#token));
    }
    return condition;
  }

  #or(): Placed {
    return this.#logic('or', 'OR', () => this.#and());
  }

  #and(): Placed {
    return this.#logic('and', 'AND', () => this.#equality());
  }

  #logic(kind: 'and' | 'or', keyword: string, operand: () => Placed): Placed {
    const first = operand();
    if (!this.#isKeyword(keyword)) return first;
    const conditions = [this.#condition(first)];
    while (this.#takeKeyword(keyword)) conditions.push(this.#condition(operand()));
    return { node: { kind, conditions, depth: this.#depth(first.start, ...conditions) }, start: first.start };
  }

  #equality(): Placed {
    let left = this.#comparison();
    for (;;) {
      const { start } = left;
      if (this.#takeKeyword('IS')) {
        const isNegated = this.#takeKeyword('NOT');
        this.#expectKeyword('NULL', 'write IS NULL or IS NOT NULL');
        const isNull: ConditionNode = { kind: 'isNull', value: left.node, depth: this.#depth(start, left.node) };
        left = { node: isNegated ? this.#not(isNull, start) : isNull, start };
      } else if (this.#isSymbol('=') || this.#isSymbol('<>')) {
        const isNegated = this.#take().text === '<>';
        left = { node: this.#equal(left, this.#comparison(), isNegated), start };
      } else return left;
    }
  }

  #equal(left: Placed, right: Placed, isNegated: boolean): ConditionNode {
    for (const side of [left, right]) {
      if (!isNullLiteral(side.node)) continue;
      this.#refuseAt(side.start, 'a value', 'nothing is equal to NULL; write IS NULL or IS NOT NULL');
    }
    const isLiteral = right.node.kind === 'text' || (right.node.kind === 'number' && right.node.isLiteral);
    if (left.node.kind === 'truth' && isLiteral) {
      this.#refuseAt(
        right.start,
        'TRUE, FALSE, a property or a condition',
        'TRUE and FALSE are equal to no other value',
      );
    }
    const depth = this.#depth(left.start, left.node, right.node);
    const equal: ConditionNode = { kind: 'equal', left: left.node, right: right.node, depth };
    return isNegated ? this.#not(equal, left.start) : equal;
  }

  #comparison(): Placed {
    let left = this.#unary();
    for (;;) {
      const { start } = left;
      const token = this.#token;
      if (token.kind === 'symbol' && ORDER_OPERATORS.has(token.text)) {
        this.#take();
        left = { node: this.#order(token.text as OrderOperator, left, this.#unary()), start };
        continue;
      }
      const isNegated = this.#isKeyword('NOT') && this.#isNegatable();
      if (isNegated) this.#take();
      else if (token.kind !== 'keyword' || !NEGATABLE.has(token.text)) return left;
      left = { node: this.#named(this.#take().text, left, isNegated), start };
    }
  }

  /** A comparison by a keyword, which has been taken. */
  #named(keyword: string, left: Placed, isNegated: boolean): ConditionNode {
    if (keyword === 'BETWEEN') return this.#between(left, isNegated);
    if (keyword === 'IN') return this.#in(left, isNegated);
    if (keyword === 'CONTAINS') this.#countContains();
    const text = this.#text(`${keyword} looks for a text in single quotes`);
    const operator = keyword as SearchOperator;
    return { kind: 'search', operator, value: left.node, text, isNegated, depth: this.#depth(left.start, left.node) };
  }

  #order(operator: OrderOperator, left: Placed, right: Placed): ConditionNode {
    this.#checkOrdered(left);
    this.#checkOrdered(right);
    const depth = this.#depth(left.start, left.node, right.node);
    return { kind: 'order', operator, left: left.node, right: right.node, depth };
  }

  #between(value: Placed, isNegated: boolean): ConditionNode {
    const low = this.#unary();
    this.#expectKeyword('AND', 'write BETWEEN low AND high');
    const high = this.#unary();
    for (const each of [value, low, high]) this.#checkOrdered(each);
    if (!isNegated && isLiteralNumber(low.node) && isLiteralNumber(high.node)) {
      if (compareNumbers(low.node.value, high.node.value) > 0) {
        this.#refuseAt(high.start, 'a bound that is not below the first', 'write BETWEEN low AND high');
      }
    }
    const nodes = { value: value.node, low: low.node, high: high.node };
    return { kind: 'between', ...nodes, isNegated, depth: this.#depth(value.start, ...Object.values(nodes)) };
  }

  #in({ node, start }: Placed, isNegated: boolean): ConditionNode {
    if (node.kind !== 'property') this.#refuseAt(start, 'a property before IN', 'write property IN (text, text)');
    const remedy = 'write IN (text, text), each text in single quotes';
    this.#expectSymbol('(', remedy);
    const texts = new Set([this.#text(remedy)]);
    while (this.#takeSymbol(',')) texts.add(this.#text(remedy));
    this.#expectSymbol(')', remedy);
    return { kind: 'in', property: node, texts, isNegated, depth: this.#depth(start, node) };
  }

  #unary(): Placed {
    const { start } = this.#token;
    if (this.#takeSymbol('+')) return this.#nested(start, () => ({ node: this.#unary().node, start }));
    if (this.#takeSymbol('-')) {
      return this.#nested(start, () => ({ node: this.#negation(this.#unary().node, start), start }));
    }
    if (this.#takeKeyword('NOT')) {
      return this.#nested(start, () => ({ node: this.#not(this.#condition(this.#unary()), start), start }));
    }
    return this.#primary();
  }

  #primary(): Placed {
    const token = this.#take();
    const { start, text } = token;
    switch (token.kind) {
      case 'name':
        this.#countTerm(start);
        return { node: { kind: 'property', name: text, depth: LEAF_DEPTH }, start };
      case 'text':
        this.#countTerm(start);
        return { node: { kind: 'text', value: text, depth: LEAF_DEPTH }, start };
      case 'integer':
      case 'decimal':
        this.#countTerm(start);
        return { node: this.#number(token), start };
      case 'keyword': {
        const truth = TRUTHS.get(text);
        if (truth === undefined) break;
        this.#countTerm(start);
        return { node: truth, start };
      }
      case 'symbol': {
        if (text !== '(') break;
        const inner = this.#nested(start, () => this.#or());
        this.#expectSymbol(')', 'close the parenthesis, or write AND or OR before what comes');
        return { node: inner.node, start };
      }
    }
    this.#position--;
    return this.#refuse('a property, a value, NOT or (', remedyFor(token));
  }

  #number(token: Token): NumberNode {
    const value = token.kind === 'integer' ? integerOf(token.text) : decimalOf(token.text);
    if (value !== undefined) return { kind: 'number', value, isLiteral: true, depth: LEAF_DEPTH };
    return this.#refuseAt(
      token.start,
      token.kind === 'integer' ? 'an integer of at most 64 bits' : 'a decimal of at most 1.7976931348623157E308',
      'use a smaller number',
    );
  }

  #negation(node: ValueNode, start: number): ValueNode {
    const depth = this.#depth(start, node);
    if (node.kind === 'number') return { kind: 'number', value: -node.value, isLiteral: false, depth };
    return { kind: 'unknown', depth };
  }

  #not(condition: ConditionNode, start: number): ConditionNode {
    return { kind: 'not', condition, depth: this.#depth(start, condition) };
  }

  /** What stands where only a condition may. */
  #condition({ node, start }: Placed): ConditionNode {
    switch (node.kind) {
      case 'property':
        return { kind: 'presence', property: node, depth: this.#depth(start, node) };
      case 'text':
      case 'number':
      case 'unknown':
        return this.#refuseAt(start, 'a condition', 'compare the value with a property');
      default:
        return node;
    }
  }

  /** @throws MqError when what stands here can't be less or greater */
  #checkOrdered({ node, start }: Placed): void {
    const { kind } = node;
    if (kind === 'property' || kind === 'number' || kind === 'unknown') return;
    if (kind === 'text' || kind === 'truth') {
      this.#refuseAt(start, 'a number or a property', '> >= < <= and BETWEEN compare numbers only');
    }
    this.#refuseAt(
      start,
      'a number or a property',
      '> >= < <= and BETWEEN compare numbers only; NOT needs parentheses: NOT (a > 5)',
    );
  }

  /** The text literal that must come. */
  #text(remedy: string): string {
    const token = this.#token;
    if (token.kind !== 'text') this.#refuse('a text in single quotes', remedy);
    this.#countTerm(token.start);
    return this.#take().text;
  }

  #countTerm(start: number): void {
    if (++this.#termCount <= SQL_TERMS_MAX) return;
    this.#refuseAt(start, `at most ${SQL_TERMS_MAX} properties and values`, 'split it into several consumer groups');
  }

  #countContains(): void {
    if (++this.#containsCount <= SQL_CONTAINS_MAX) return;
    const { start } = this.#tokens[this.#position - 1]!;
    this.#refuseAt(start, `at most ${SQL_CONTAINS_MAX} CONTAINS`, 'let producers set a property that says it');
  }

  /** Reads what is inside of a parenthesis or behind a prefix. */
  #nested(start: number, read: () => Placed): Placed {
    if (++this.#openCount > SQL_DEPTH_MAX) this.#refuseDepth(start);
    const inner = read();
    this.#openCount--;
    return inner;
  }

  /** Depth of a node above these. */
  #depth(start: number, ...nodes: readonly ValueNode[]): number {
    let deepest = 0;
    for (const { depth } of nodes) if (depth > deepest) deepest = depth;
    if (deepest >= SQL_DEPTH_MAX) this.#refuseDepth(start);
    return deepest + 1;
  }

  #refuseDepth(start: number): never {
    this.#refuseAt(start, `at most ${SQL_DEPTH_MAX} levels of nesting`, 'take away parentheses, signs or NOTs');
  }

  get #token(): Token {
    return this.#tokens[this.#position]!;
  }

  #take(): Token {
    return this.#tokens[this.#position++]!;
  }

  #isKeyword(keyword: string): boolean {
    return this.#token.kind === 'keyword' && this.#token.text === keyword;
  }

  #isSymbol(symbol: string): boolean {
    return this.#token.kind === 'symbol' && this.#token.text === symbol;
  }

  /** Whether the word behind the current one may be negated. */
  #isNegatable(): boolean {
    const next = this.#tokens[this.#position + 1];
    return next?.kind === 'keyword' && NEGATABLE.has(next.text);
  }

  #takeKeyword(keyword: string): boolean {
    const found = this.#isKeyword(keyword);
    if (found) this.#position++;
    return found;
  }

  #takeSymbol(symbol: string): boolean {
    const found = this.#isSymbol(symbol);
    if (found) this.#position++;
    return found;
  }

  #expectKeyword(keyword: string, remedy: string): void {
    if (!this.#takeKeyword(keyword)) this.#refuse(keyword, remedy);
  }

  #expectSymbol(symbol: string, remedy: string): void {
    if (!this.#takeSymbol(symbol)) this.#refuse(symbol, remedy);
  }

  /** Complains about the current token. */
  #refuse(wanted: string, remedy: string): never {
    const { kind, start, end } = this.#token;
    const found = kind === 'end' ? undefined : this.#source.slice(start, end);
    throw refusal({ start, wanted, found, remedy });
  }

  /** Complains about what begins at `start`. */
  #refuseAt(start: number, wanted: string, remedy: string): never {
    const last = this.#tokens[this.#position - 1]!;
    throw refusal({ start, wanted, found: this.#source.slice(start, Math.max(last.end, start + 1)), remedy });
  }
}

function isNullLiteral(node: ValueNode): boolean {
  return node.kind === 'truth' && node.value === undefined;
}

function isLiteralNumber(node: ValueNode): node is NumberNode {
  return node.kind === 'number' && node.isLiteral;
}

function decimalOf(text: string): SqlNumber | undefined {
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** What to do about a token that stands where a value is wanted. */
function remedyFor(token: Token): string {
  if (token.kind === 'end') return 'write what is to be compared, or TRUE to want all messages';
  if (token.kind === 'keyword') return `${token.text} is a keyword and can't be the name of a property here`;
  return 'write what is to be compared';
}

/** What to do about a token that stands where an operator is wanted. */
function remedyBehind(token: Token): string {
  if (token.kind === 'name' && token.text.toUpperCase() === 'LIKE') {
    return 'there is no LIKE; use CONTAINS, STARTSWITH or ENDSWITH';
  }
  if (token.text === '-' || token.text === '+') {
    return 'there is no arithmetic, and names of properties have letters, digits, _ and $ only';
  }
  if (token.text === ')') return 'open a parenthesis before, or take this one away';
  return 'write AND or OR between conditions';
}
