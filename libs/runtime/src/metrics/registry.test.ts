import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from './registry.ts';

const options = {
  commonLabels: { cluster: 'c', node_type: 'broker', node_id: 'a' },
  seriesMax: 2,
  processMetrics: false,
};

test('counters add up across scrapes and carry the common labels', async () => {
  const metrics = createMetrics(options);
  const counter = metrics.counter({ name: 'rocketmq_messages_in_total', help: 'h', labels: ['topic'] });
  counter.series({ topic: 't' }).add(2);
  await metrics.render();
  counter.series({ topic: 't' }).add(3);
  const text = await metrics.render();
  assert.match(text, /rocketmq_messages_in_total\{topic="t",cluster="c",node_type="broker",node_id="a"\} 5/);
});

test('series beyond the limit are summed up as other', async () => {
  const metrics = createMetrics(options);
  const counter = metrics.counter({ name: 'n_total', help: 'h', labels: ['topic'] });
  for (let index = 0; index < 1000; index++) counter.series({ topic: `t${index}` }).add(1);
  const lines = (await metrics.render()).split('\n').filter((line) => line.startsWith('n_total'));
  assert.equal(lines.length, 3);
  assert.match(lines[2]!, /topic="other".* 998$/);
});

test('label values can not inject lines', async () => {
  const metrics = createMetrics(options);
  metrics
    .counter({ name: 'n_total', help: 'h', labels: ['topic'] })
    .series({ topic: 'a"} 1\nevil 2' })
    .add(1);
  assert.doesNotMatch(await metrics.render(), /^evil/m);
});

test('gauges are asked at each scrape and forget what is gone', async () => {
  const metrics = createMetrics(options);
  let topics = ['a', 'b'];
  metrics.gauge({ name: 'g', help: 'h', labels: ['topic'] }, (report) => {
    for (const topic of topics) report({ topic }, 1);
  });
  assert.match(await metrics.render(), /g\{topic="b"/);
  topics = ['a'];
  assert.doesNotMatch(await metrics.render(), /g\{topic="b"/);
});

test('histograms count into their buckets', async () => {
  const metrics = createMetrics(options);
  const histogram = metrics.histogram({ name: 'h', help: 'h', labels: ['code'], buckets: [1, 3] });
  histogram.series({ code: 'OK' }).observe(2);
  const text = await metrics.render();
  assert.match(text, /h_bucket\{le="1",[^}]*code="OK"[^}]*\} 0/);
  assert.match(text, /h_bucket\{le="3",[^}]*code="OK"[^}]*\} 1/);
});
