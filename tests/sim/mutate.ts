import { registerHooks } from 'node:module';
import { CLUSTER_MUTANTS } from './cluster/cluster-mutants.ts';
import { LITE_MUTANTS } from './lite-mutants.ts';
import { MUTANTS } from './mutants.ts';
import { REPLICA_MUTANTS } from './replica-mutants.ts';
import { TRANSACTION_MUTANTS } from './transaction-mutants.ts';
import { WHOLE_MUTANTS } from './whole/whole-mutants.ts';

/*
 * Loaded before a history (`--import`), it puts the mutant that is named into the engine's source as it is read:
 *
 *   node --conditions=@orbitmq/source --import ./tests/sim/mutate.ts tests/sim/run.ts --mutant fifo-unblocked
 */
const wanted = process.argv[process.argv.indexOf('--mutant') + 1] ?? '';
const mutant = [
  ...MUTANTS,
  ...TRANSACTION_MUTANTS,
  ...LITE_MUTANTS,
  ...REPLICA_MUTANTS,
  ...WHOLE_MUTANTS,
  ...CLUSTER_MUTANTS,
].find(({ name }) => name.startsWith(`${wanted}:`));
if (mutant === undefined) throw new Error(`there is no mutant ${wanted}`);

const changes = [mutant, ...(mutant.also === undefined ? [] : [mutant.also])];

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const change = changes.find(({ file }) => url.endsWith(file));
    if (change === undefined) return loaded;
    const source = Buffer.from(loaded.source as Uint8Array).toString('utf8');
    if (source.split(change.from).length !== 2)
      throw new Error(`mutant ${wanted}: its text is not once in ${change.file}`);
    return { ...loaded, source: source.replace(change.from, change.to) };
  },
});
