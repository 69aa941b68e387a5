import {
  asNumber,
  type Condition,
  equal,
  FAILED,
  FAILURE,
  FALSE,
  not,
  type Operand,
  TRUE,
  type Truth,
  truthOf,
  UNKNOWN,
} from './evaluation.ts';
import { compareNumbers, numberOf, type SqlNumber } from './numbers.ts';
import type {
  BetweenNode,
  ConditionNode,
  EqualNode,
  InNode,
  OrderNode,
  OrderOperator,
  SearchNode,
  ValueNode,
} from './syntax.ts';
import { textSearch } from './text-search.ts';

/** Makes a function of a condition: one call for each node that has to be looked at, nothing is made for a message. */
export function compileCondition(node: ConditionNode): Condition {
  switch (node.kind) {
    case 'truth': {
      const truth = node.value === undefined ? UNKNOWN : truthOf(node.value);
      return () => truth;
    }
    case 'presence': {
      const { name } = node.property;
      return (property) => (property(name) === undefined ? UNKNOWN : FALSE);
    }
    case 'not': {
      const condition = compileCondition(node.condition);
      return (property) => not(condition(property));
    }
    case 'and':
      return allOf(node.conditions.map(compileCondition));
    case 'or':
      return anyOf(node.conditions.map(compileCondition));
    case 'equal':
      return equality(node);
    case 'isNull': {
      const value = compileOperand(node.value);
      return (property) => {
        const found = value(property);
        return found === FAILURE ? FAILED : truthOf(found === undefined);
      };
    }
    case 'order':
      return order(node);
    case 'between':
      return between(node);
    case 'in':
      return membership(node);
    case 'search':
      return search(node);
  }
}

function compileOperand(node: ValueNode): Operand {
  switch (node.kind) {
    case 'property': {
      const { name } = node;
      return (property) => property(name);
    }
    case 'text':
    case 'number': {
      const { value } = node;
      return () => value;
    }
    case 'unknown':
      return () => undefined;
    default: {
      const condition = compileCondition(node);
      return (property) => VALUES[condition(property)];
    }
  }
}

/** Truths as values, by their numbers. */
const VALUES = [false, true, undefined, FAILURE] as const;

function allOf(conditions: readonly Condition[]): Condition {
  return (property) => {
    let result: Truth = TRUE;
    for (const condition of conditions) {
      const truth = condition(property);
      if (truth === FALSE || truth === FAILED) return truth;
      if (truth === UNKNOWN) result = UNKNOWN;
    }
    return result;
  };
}

function anyOf(conditions: readonly Condition[]): Condition {
  return (property) => {
    let result: Truth = FALSE;
    for (const condition of conditions) {
      const truth = condition(property);
      if (truth === TRUE || truth === FAILED) return truth;
      if (truth === UNKNOWN) result = UNKNOWN;
    }
    return result;
  };
}

function equality({ left, right }: EqualNode): Condition {
  if (left.kind === 'property' && right.kind === 'text') {
    const [{ name }, { value }] = [left, right];
    return (property) => {
      const text = property(name);
      return text === undefined ? UNKNOWN : truthOf(text === value);
    };
  }
  if (left.kind === 'property' && right.kind === 'number') {
    return numberTest(left.name, (found) => compareNumbers(found, right.value) === 0);
  }
  const [leftOperand, rightOperand] = [compileOperand(left), compileOperand(right)];
  return (property) => equal(leftOperand(property), rightOperand(property));
}

function order({ operator, left, right }: OrderNode): Condition {
  const holds = ORDERS[operator];
  if (left.kind === 'property' && right.kind === 'number') {
    const { value } = right;
    return numberTest(left.name, (found) => holds(found, value));
  }
  const [leftNumber, rightNumber] = [numberOperand(left), numberOperand(right)];
  return (property) => {
    const one = leftNumber(property);
    if (one === undefined) return UNKNOWN;
    const other = rightNumber(property);
    if (other === undefined) return UNKNOWN;
    return one === FAILURE || other === FAILURE ? FAILED : truthOf(holds(one, other));
  };
}

const ORDERS: Readonly<Record<OrderOperator, (left: SqlNumber, right: SqlNumber) => boolean>> = {
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
};

/** `value >= low AND value <= high`, and the other way round; the value is looked up once. */
function between({ value, low, high, isNegated }: BetweenNode): Condition {
  if (value.kind === 'property' && low.kind === 'number' && high.kind === 'number') {
    const [least, most] = [low.value, high.value];
    return numberTest(value.name, (found) => (found >= least && found <= most) !== isNegated);
  }
  const [operand, lowOperand, highOperand] = [numberOperand(value), numberOperand(low), numberOperand(high)];
  return (property) => {
    const found = operand(property);
    const aboveLow = compared(found, lowOperand(property), ORDERS['>=']);
    if (aboveLow === FAILED) return FAILED;
    if (aboveLow === FALSE) return truthOf(isNegated);
    const belowHigh = compared(found, highOperand(property), ORDERS['<=']);
    if (belowHigh === FAILED) return FAILED;
    if (belowHigh === FALSE) return truthOf(isNegated);
    return aboveLow === UNKNOWN || belowHigh === UNKNOWN ? UNKNOWN : truthOf(!isNegated);
  };
}

function compared(
  left: SqlNumber | undefined | typeof FAILURE,
  right: SqlNumber | undefined | typeof FAILURE,
  holds: (left: SqlNumber, right: SqlNumber) => boolean,
): Truth {
  if (left === undefined || right === undefined) return UNKNOWN;
  return left === FAILURE || right === FAILURE ? FAILED : truthOf(holds(left, right));
}

/** A test of the number that a property stands for. */
function numberTest(name: string, holds: (found: SqlNumber) => boolean): Condition {
  return (property) => {
    const text = property(name);
    if (text === undefined) return UNKNOWN;
    const found = numberOf(text);
    return found === undefined ? FAILED : truthOf(holds(found));
  };
}

function numberOperand(node: ValueNode): (property: Parameters<Operand>[0]) => SqlNumber | undefined | typeof FAILURE {
  const operand = compileOperand(node);
  return (property) => {
    const value = operand(property);
    if (value === undefined || value === FAILURE) return value;
    return asNumber(value) ?? FAILURE;
  };
}

function membership({ property: { name }, texts, isNegated }: InNode): Condition {
  return (property) => {
    const text = property(name);
    return text === undefined ? UNKNOWN : truthOf(texts.has(text) !== isNegated);
  };
}

/** False for what is no text and for an empty one that is looked for, also in its negated form. */
function search({ operator, value, text, isNegated }: SearchNode): Condition {
  if (text === '') return () => FALSE;
  const operand = compileOperand(value);
  const holds = searcher(operator, text);
  return (property) => {
    const found = operand(property);
    if (found === FAILURE) return FAILED;
    return typeof found === 'string' ? truthOf(holds(found) !== isNegated) : FALSE;
  };
}

function searcher(operator: SearchNode['operator'], text: string): (found: string) => boolean {
  if (operator === 'CONTAINS') return textSearch(text);
  if (operator === 'STARTSWITH') return (found) => found.startsWith(text);
  return (found) => found.endsWith(text);
}
