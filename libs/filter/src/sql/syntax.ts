/** What an expression says, as a tree. `depth` counts the levels of the tree below and with a node. */
interface Node {
  readonly depth: number;
}

/** The value of a property: a text, or unknown. */
export interface PropertyNode extends Node {
  readonly kind: 'property';
  readonly name: string;
}
export interface TextNode extends Node {
  readonly kind: 'text';
  readonly value: string;
}
export interface NumberNode extends Node {
  readonly kind: 'number';
  readonly value: number | bigint;
  /** Written without a minus. */
  readonly isLiteral: boolean;
}
/** What has no value, ever: the negation of what is no number. */
export interface UnknownNode extends Node {
  readonly kind: 'unknown';
}

/** TRUE, FALSE, or NULL, which is undefined. */
export interface TruthNode extends Node {
  readonly kind: 'truth';
  readonly value: boolean | undefined;
}
/** A property where a condition is wanted: a text is never true. */
export interface PresenceNode extends Node {
  readonly kind: 'presence';
  readonly property: PropertyNode;
}
export interface NotNode extends Node {
  readonly kind: 'not';
  readonly condition: ConditionNode;
}
/** AND, OR: at least two conditions. */
export interface LogicNode extends Node {
  readonly kind: 'and' | 'or';
  readonly conditions: readonly ConditionNode[];
}
export interface EqualNode extends Node {
  readonly kind: 'equal';
  readonly left: ValueNode;
  readonly right: ValueNode;
}
export interface IsNullNode extends Node {
  readonly kind: 'isNull';
  readonly value: ValueNode;
}
export type OrderOperator = '<' | '<=' | '>' | '>=';
export interface OrderNode extends Node {
  readonly kind: 'order';
  readonly operator: OrderOperator;
  readonly left: ValueNode;
  readonly right: ValueNode;
}
export interface BetweenNode extends Node {
  readonly kind: 'between';
  readonly value: ValueNode;
  readonly low: ValueNode;
  readonly high: ValueNode;
  readonly isNegated: boolean;
}
export interface InNode extends Node {
  readonly kind: 'in';
  readonly property: PropertyNode;
  readonly texts: ReadonlySet<string>;
  readonly isNegated: boolean;
}
export type SearchOperator = 'CONTAINS' | 'STARTSWITH' | 'ENDSWITH';
export interface SearchNode extends Node {
  readonly kind: 'search';
  readonly operator: SearchOperator;
  readonly value: ValueNode;
  readonly text: string;
  readonly isNegated: boolean;
}

/** What is true, false or unknown. */
export type ConditionNode =
  | TruthNode
  | PresenceNode
  | NotNode
  | LogicNode
  | EqualNode
  | IsNullNode
  | OrderNode
  | BetweenNode
  | InNode
  | SearchNode;

/** What may be compared. */
export type ValueNode = PropertyNode | TextNode | NumberNode | UnknownNode | ConditionNode;
