import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ROOT } from '@orbitmq/tools';
import { helmSkip, objectOf, render } from './helm.ts';

describe('what operators watch', { skip: helmSkip }, () => {
  it('asks for metrics that there are', () => {
    const reference = readFileSync(join(ROOT, 'docs', 'reference', 'metrics.md'), 'utf8');
    const known = new Set([...reference.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name));
    const rule = objectOf(render({ example: 'production' }), 'PrometheusRule', 'mq');
    const alerts: readonly { alert: string; expr: string }[] = rule['spec'].groups[0].rules;
    assert.ok(alerts.length >= 12);
    for (const { alert, expr } of alerts) {
      const names = expr.match(/\b(orbitmq|rocketmq)_\w+/g) ?? [];
      assert.ok(names.length > 0, alert);
      for (const name of names) assert.ok(known.has(name), `${alert} asks for ${name}`);
    }
  });

  it('tells how many members there should be', () => {
    const rule = objectOf(render({ example: 'production' }), 'PrometheusRule', 'mq');
    const expressionOf = (name: string): string =>
      rule['spec'].groups[0].rules.find(({ alert }: { alert: string }) => alert === name).expr;
    assert.match(expressionOf('OrbitMQCopiesMissing'), / < 3$/);
    assert.match(expressionOf('OrbitMQNameServerLacksBrokers'), / < 9$/);
  });

  it('comes with a dashboard that its side-car finds', () => {
    const { metadata, ...rest } = objectOf(render({ example: 'production' }), 'ConfigMap', 'mq-dashboard');
    assert.equal(metadata.labels['grafana_dashboard'], '1');
    const dashboard = JSON.parse(rest['data']['orbitmq.json']);
    assert.ok(dashboard.panels.length > 20);
    assert.doesNotMatch(JSON.stringify(dashboard), /\$of\b/);
  });

  it('reads all pods that have metrics', () => {
    const monitor = objectOf(render({ example: 'production' }), 'PodMonitor', 'mq');
    assert.deepEqual(monitor['spec'].podMetricsEndpoints, [
      { port: 'metrics', path: '/metrics', interval: '30s', scrapeTimeout: '10s' },
    ]);
    assert.deepEqual(monitor['spec'].selector.matchExpressions[0].values, ['name-server', 'broker']);
  });
});
