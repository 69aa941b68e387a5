import type { ConditionNode, ValueNode } from './syntax.ts';

/** The property that holds a message's tag. */
const TAG_PROPERTY = 'TAGS';

/**
 * Tags of which a message must have one for the condition to be true; undefined when it may be true without.
 * `TAGS = 'a'`, `TAGS IN (…)`, and what AND and OR make of them.
 */
export function requiredTags(node: ConditionNode): ReadonlySet<string> | undefined {
  switch (node.kind) {
    case 'equal':
      return tagOf(node.left, node.right) ?? tagOf(node.right, node.left);
    case 'in':
      return node.property.name === TAG_PROPERTY && !node.isNegated ? node.texts : undefined;
    case 'and': {
      // one part that is not true is enough
      const parts = node.conditions.map(requiredTags).filter((tags) => tags !== undefined);
      return parts.sort((one, other) => one.size - other.size)[0];
    }
    case 'or': {
      const union = new Set<string>();
      for (const tags of node.conditions.map(requiredTags)) {
        if (tags === undefined) return undefined;
        for (const tag of tags) union.add(tag);
      }
      return union;
    }
    default:
      return undefined;
  }
}

function tagOf(property: ValueNode, text: ValueNode): ReadonlySet<string> | undefined {
  if (property.kind !== 'property' || property.name !== TAG_PROPERTY || text.kind !== 'text') return undefined;
  return new Set([text.value]);
}
