import { type Pace, WholeHistory } from '../whole/whole-history.ts';
import { ReplicatedCluster } from './replicated-cluster.ts';

const HURRIED: Pace = { stepsMin: 15, stepsEnd: 40, stepMs: 60, mishaps: 28, oldMs: 300, redrives: false };

/** One seeded life of a shard on several machines. */
export class ClusterHistory extends WholeHistory {
  constructor(seed: number) {
    super(seed, (clock, ofSeed, note) => new ReplicatedCluster(clock, ofSeed, note), HURRIED);
  }
}
