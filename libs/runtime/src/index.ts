export type { Component } from './component.ts';
export { type CommandLine, parseCommandLine } from './config/command-line.ts';
export { configReference, describeConfig, maskedConfig } from './config/document.ts';
export { environmentName, processEnvironment } from './config/environment.ts';
export {
  addressList,
  type ConfigKey,
  type ConfigShape,
  choice,
  decimalNumber,
  flag,
  optionalPath,
  optionalPort,
  optionalText,
  path,
  port,
  textKey,
  wholeNumber,
} from './config/key.ts';
export { type ConfigInput, loadConfig } from './config/load.ts';
export { nearestName } from './config/nearest.ts';
export { type Property, parseProperties } from './config/properties.ts';
export {
  ConfigError,
  type ConfigKeys,
  type ConfigOf,
  type ConfigSource,
  type ConfigSpec,
  type LoadedConfig,
} from './config/spec.ts';
export { createHealth, type Health } from './health.ts';
export { type ObservationOptions, ObservationServer } from './http-server.ts';
export { Lifecycle, type LifecycleOptions, StoppingError } from './lifecycle.ts';
export { listening } from './listen-failure.ts';
export type { LogFields, Logger } from './logger.ts';
export { memoryBytes } from './memory.ts';
export {
  type Counter,
  createMetrics,
  type Histogram,
  type MetricDefinition,
  type MetricReport,
  type Metrics,
  type MetricsOptions,
  type MetricType,
} from './metrics/registry.ts';
export { CounterSeries, HistogramSeries, type Labels } from './metrics/series.ts';
export { type ObservationPages, observationHandler } from './observation-pages.ts';
export { createLogger, LOG_LEVELS, type LogLevel } from './pino-logger.ts';
export { runService, type ServiceContext } from './service.ts';
export { textFiles } from './text-files.ts';
export { VERSION } from './version.ts';
