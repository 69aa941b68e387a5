import type { Mutant } from '../mutants.ts';

/** Small wrongs in what makes one shard of several members, that histories of a cluster must notice. */
export const CLUSTER_MUTANTS: readonly Mutant[] = [
  {
    name: 'confirm-alone: what the leader has stored is confirmed, whatever its followers have',
    file: 'libs/replication/src/leader.ts',
    from: 'limit = Math.min(limit, stored);',
    to: '',
  },
  {
    name: 'joins-behind: a follower joins the in-sync set that lacks something confirmed',
    file: 'libs/replication/src/leader.ts',
    from: 'if (session.storedOffset >= least) this.#inSync.join',
    to: 'if (session.storedOffset >= 0) this.#inSync.join',
  },
  {
    name: 'leaves-unpublished: a member is not waited for before it is known that it has left',
    file: 'libs/replication/src/in-sync-set.ts',
    from: 'if (!this.#desired.delete(member)) return;',
    to: 'if (!this.#desired.delete(member)) return;\n    this.#required.delete(member);\n    this.#options.onChange();',
  },
  {
    name: 'cut-too-little: what the leader does not have is kept',
    file: 'libs/replication/src/divergence.ts',
    from: 'return { cutOffset: common, startAnew: false };',
    to: 'return { cutOffset: Math.min(leader.endOffset, follower.endOffset), startAnew: false };',
  },
  {
    name: 'cut-too-much: a copy is cut back to where its newest common epoch begins',
    file: 'libs/replication/src/divergence.ts',
    from: 'return Math.min(endOf(leader, at), endOf(follower, index));',
    to: 'return Math.max(leader.startOffset, Math.min(leader.epochs[at]!.startOffset, endOf(follower, index)));',
  },
  {
    name: 'guard-always: a leader acknowledges whatever its Lease says',
    file: 'libs/coordination/src/election-rules.ts',
    from: "if (facts.acknowledge === 'confirmed' && facts.othersInSync > 0) return true;",
    to: 'if (facts.nowMs > 0) return true;',
  },
  {
    name: 'lease-by-anyone: a member takes the Lease that is not in sync',
    file: 'libs/coordination/src/election-rules.ts',
    from: 'if (!lease.inSync.includes(member)) return',
    to: 'if (member < 0) return',
  },
  {
    name: 'lease-too-soon: the Lease of a leader is taken that only this member does not hear',
    file: 'libs/coordination/src/election-rules.ts',
    from: 'return isExpired ? undefined : `the lease of leader',
    to: 'return isSilent || isExpired ? undefined : `the lease of leader',
  },
  {
    name: 'lacking-leads: a member leads whose machine went down, though others have more',
    file: 'libs/coordination/src/election-rules.ts',
    from: 'if (facts.mayLackStored && !isOnlyCopy && !isForsaken) {',
    to: 'if (facts.mayLackStored && nowMs < 0 && !isOnlyCopy && !isForsaken) {',
  },
  {
    name: 'tail-dropped: a member that is promoted does not apply what was not confirmed yet',
    file: 'libs/shard/src/confirmed-applier.ts',
    from: 'while (this.#base()! < log.endOffset) await this.#applySlice(log.endOffset);',
    to: 'this.#base();',
  },
  {
    name: 'fence-succeeds: those who wait when another one takes over are told that all is well',
    file: 'libs/storage/src/group-commit.ts',
    from: 'this.#writing.reject(error);\n    this.#gathering.reject(error);',
    to: 'if (this.#state.failure === undefined) this.#writing.resolve();\n    this.#writing.reject(error);\n    this.#gathering.reject(error);',
  },
  {
    name: 'chunk-unchecked: records are stored as they come',
    file: 'libs/storage/src/intake.ts',
    from: 'if (meaningful > available || !isIntact(window, at, meaningful)) {',
    to: 'if (meaningful > available) {',
  },
];
