/** The part of prom-client that is used here, by the files that hold it. */
declare module 'prom-client/lib/registry.js' {
  /** Something with a name that a registry can format. */
  interface RegisteredMetric {
    readonly name: string;
    get(): Promise<{
      readonly name: string;
      readonly help: string;
      readonly type: string;
      readonly values: readonly {
        readonly metricName?: string;
        readonly labels: Readonly<Record<string, string>>;
        readonly value: number;
      }[];
    }>;
  }

  export default class Registry {
    readonly contentType: string;
    setDefaultLabels(labels: Record<string, string>): void;
    registerMetric(metric: RegisteredMetric): void;
    metrics(): Promise<string>;
  }
}

declare module 'prom-client/lib/defaultMetrics.js' {
  import type Registry from 'prom-client/lib/registry.js';

  export default function collectDefaultMetrics(options: { register: Registry }): void;
}
