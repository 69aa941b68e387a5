import { flag, group, over, parts, text, texts, value } from './value.ts';

const scraping = {
  enabled: value(false, flag, 'Make it. It takes the Prometheus operator.'),
  interval: value('30s', text, 'How often.'),
  scrapeTimeout: value('10s', text, 'How long at most.'),
  labels: value({}, texts, 'Labels by which Prometheus finds it.'),
  relabelings: value([], parts, 'Changes of labels before.'),
  metricRelabelings: value([], parts, 'Changes of labels after.'),
  merge: over,
};

/** What operators watch. */
export const metrics = group('Prometheus and Grafana.', {
  podMonitor: group('A PodMonitor of all pods.', scraping),
  serviceMonitor: group('A ServiceMonitor of all pods, in place of the PodMonitor.', scraping),
  prometheusRule: group('Alerts.', {
    enabled: value(false, flag, 'Make it. It takes the Prometheus operator.'),
    labels: value({}, texts, 'Labels by which Prometheus finds it.'),
    alertLabels: value({}, texts, 'Labels of all alerts.'),
    runbookUrl: value('', text, 'Where your runbooks are: annotation runbook_url with the name of the alert appended.'),
    additionalRules: value([], parts, 'More rules of the same group.'),
    merge: over,
  }),
  dashboard: group('A dashboard of Grafana, as a ConfigMap that its side-car finds.', {
    enabled: value(false, flag, 'Make it.'),
    labels: value({ grafana_dashboard: '1' }, texts, 'Labels by which the side-car finds it.'),
    annotations: value({}, texts, 'Annotations, such as the folder.'),
    merge: over,
  }),
});
