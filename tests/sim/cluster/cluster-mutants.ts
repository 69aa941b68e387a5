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
    from: 'if (session.storedOffset >= least && !this.#isTooFarBehind(session))',
    to: 'if (session.storedOffset >= 0)',
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
  {
    name: 'claim-before-flush: a follower says to have stored what it has not fsynced',
    file: 'libs/replication/src/follower.ts',
    from: 'storedOffset: BigInt(copy.replica.storedOffset),',
    to: 'storedOffset: BigInt(copy.replica.endOffset),',
  },
  {
    name: 'applies-unconfirmed: a follower applies what it has stored',
    file: 'libs/replication/src/follower.ts',
    from: 'copy.confirm(confirmedOffset);',
    to: 'copy.confirm(Number.POSITIVE_INFINITY);',
  },
  {
    name: 'snapshot-unconfirmed: a snapshot holds what is not confirmed yet',
    file: 'libs/shard/src/maintenance.ts',
    from: '    await log.flush(position);\n    await this.#confirmed(position);\n',
    to: '    await log.flush(position);\n',
  },
  {
    name: 'joining-unawaited: a member is not waited for before it is known that it has joined',
    file: 'libs/replication/src/in-sync-set.ts',
    from: '    this.#desired.add(member);\n    this.#required.add(member);\n',
    to: '    this.#desired.add(member);\n',
  },
  {
    name: 'renewed-at-answer: a leader counts from when it heard that its Lease is renewed',
    file: 'libs/coordination/src/election.ts',
    from: '      this.#see(await store.write(lease, this.#stored), begunMs);\n      tenure.renewedMs = begunMs;\n',
    to: '      this.#see(await store.write(lease, this.#stored), begunMs);\n      tenure.renewedMs = clock.monotonicMs();\n',
  },
  {
    name: 'confirmed-at-takeover: those who were in sync with the last leader count as in sync with the next one',
    file: 'libs/coordination/src/election.ts',
    from: '? [] : [candidate.member],',
    to: '? [] : expected.lease.inSync,',
  },
  {
    name: 'older-epoch-followed: neither a leader nor a follower minds that a newer epoch has begun',
    file: 'libs/replication/src/follower.ts',
    from: 'if (epoch < this.#epochSeen) throw',
    to: 'if (epoch < 0) throw',
    also: {
      file: 'libs/replication/src/leader.ts',
      from: 'if (Number(hello.epochSeen) > log.epoch) {',
      to: 'if (log.epoch < 0) {',
    },
  },
];
