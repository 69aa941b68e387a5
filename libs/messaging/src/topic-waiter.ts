import type { Shard, Waiter } from '@orbitmq/shard';

/** Waits until a topic exists. */
export function topicWaiter(shard: Shard, topicName: string): Waiter {
  let settle: (exists: boolean) => void = () => undefined;
  const ready = new Promise<boolean>((resolve) => {
    settle = resolve;
  });
  const finish = (exists: boolean): void => {
    stopListening();
    settle(exists);
  };
  const stopListening = shard.onMetadataChange(() => {
    if (shard.metadata.topic(topicName)) finish(true);
  });
  return { ready, cancel: () => finish(false) };
}
