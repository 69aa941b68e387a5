import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

/** Packages and modules that only some projects may import; everywhere else they are refused. */
const gates = [
  {
    group: ['node:fs', 'node:fs/promises', 'fs', 'fs/promises'],
    only: ['vfs', 'runtime'],
    why: 'files go through libs/vfs',
  },
  {
    group: ['node:net', 'node:tls', 'node:http2', 'net', 'tls', 'http2'],
    // vfs locks a directory by a socket, which goes with the process.
    only: ['rpc', 'runtime', 'vfs'],
    why: 'sockets belong to libs/rpc',
  },
  { group: ['@grpc/*'], only: ['rpc'], why: 'gRPC is behind libs/rpc' },
  { group: ['pino', 'pino/*', 'prom-client'], only: ['runtime'], why: 'logs and metrics are behind libs/runtime' },
  { group: ['@kubernetes/*'], only: ['coordination'], why: 'Kubernetes is behind libs/coordination' },
  { group: ['zod'], only: ['runtime'], why: 'configuration keys are made by libs/runtime' },
  { group: ['@orbitmq/testkit'], only: [], why: 'testkit is for tests' },
  {
    group: ['node:child_process', 'child_process', 'node:vm', 'vm', 'node:worker_threads'],
    only: [],
    why: 'the product starts no programs and runs no code from strings',
  },
];
/** The engine takes clocks, timers, random numbers, files and sockets from outside. */
const enginePure = ['storage', 'views', 'shard', 'filter', 'routing', 'replication', 'coordination'];
const engineGates = [
  {
    group: [
      'node:timers',
      'node:timers/*',
      'node:fs',
      'node:net',
      'node:http',
      'node:https',
      'node:dgram',
      'node:dns',
      'node:os',
      'node:process',
    ],
    why: 'the engine reads no clock, file or socket by itself',
  },
];
const projects = [
  'base',
  'vfs',
  'protocol',
  'runtime',
  'rpc',
  'filter',
  'routing',
  'storage',
  'views',
  'shard',
  'replication',
  'coordination',
  'client',
  'messaging',
  'relay',
  'admin',
  'node',
];

const restricted = (patterns) => ({
  'no-restricted-imports': ['error', { patterns: patterns.map(({ group, why }) => ({ group, message: why })) }],
});

export default [
  { ignores: ['**/dist/**', '**/gen/**', 'data/**', '**/node_modules/**', '.nx/**', '**/.work/**', '**/target/**'] },
  {
    files: ['**/*.ts'],
    languageOptions: { parser: tseslint.parser },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
  },
  {
    files: ['**/*.ts'],
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        {
          enforceBuildableLibDependency: false,
          banTransitiveDependencies: true,
          // its Kubernetes client is a part of its own, which only those load who use it
          checkDynamicDependenciesExceptions: ['@orbitmq/coordination'],
          // kept from all but tests by a gate above
          allow: ['@orbitmq/testkit'],
          depConstraints: [
            {
              sourceTag: 'type:app',
              onlyDependOnLibsWithTags: ['type:composition', 'type:service', 'type:engine', 'type:port', 'type:base'],
            },
            { sourceTag: 'type:service', onlyDependOnLibsWithTags: ['type:engine', 'type:port', 'type:base'] },
            {
              sourceTag: 'type:composition',
              onlyDependOnLibsWithTags: ['type:service', 'type:engine', 'type:port', 'type:base'],
            },
            { sourceTag: 'type:engine', onlyDependOnLibsWithTags: ['type:engine', 'type:port', 'type:base'] },
            { sourceTag: 'type:port', onlyDependOnLibsWithTags: ['type:port', 'type:base'] },
            { sourceTag: 'type:base', onlyDependOnLibsWithTags: [] },
            { sourceTag: 'type:test', onlyDependOnLibsWithTags: ['*'] },
            { sourceTag: 'scope:route', onlyDependOnLibsWithTags: ['scope:route', 'scope:shared'] },
            { sourceTag: 'scope:shard', onlyDependOnLibsWithTags: ['scope:shard', 'scope:shared'] },
            { sourceTag: 'scope:ops', onlyDependOnLibsWithTags: ['scope:ops', 'scope:shared'] },
          ],
        },
      ],
    },
  },
  ...projects.map((project) => ({
    files: [`libs/${project}/src/**/*.ts`],
    ignores: ['**/*.test.ts', '**/test-*.ts', '**/*.bench.ts'],
    rules: restricted([
      ...gates.filter((gate) => !gate.only.includes(project)),
      ...(enginePure.includes(project) ? engineGates : []),
    ]),
  })),
  {
    files: ['apps/*/src/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: restricted(gates.filter((gate) => !['zod'].includes(gate.group[0]))),
  },
];
