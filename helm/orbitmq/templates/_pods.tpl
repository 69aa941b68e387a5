{{/* What all pods have. Takes: list root values-of-the-component */}}
{{- define "orbitmq.podSpec" -}}
{{- $root := index . 0 -}}
{{- $values := index . 1 -}}
enableServiceLinks: false
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - {{ if kindIs "string" . }}name: {{ . }}{{ else }}{{ toJson . }}{{ end }}
  {{- end }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.initContainers }}
initContainers:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Labels and annotations of pods. Takes: list root component values labels annotations */}}
{{- define "orbitmq.podMetadata" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
labels:
  {{- include "orbitmq.selector" (list $root (index . 1)) | nindent 2 }}
  {{- with mergeOverwrite (dict) $root.Values.commonLabels $values.podLabels (index . 3) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $annotations := fromYaml (tpl (toYaml $values.podAnnotations) $root) }}
{{- with mergeOverwrite (dict) (index . 4) $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What all containers have. Takes: list root values-of-the-component */}}
{{- define "orbitmq.container" -}}
{{- $root := index . 0 -}}
{{- $values := index . 1 -}}
image: {{ include "orbitmq.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- toYaml $root.Values.containerSecurityContext | nindent 2 }}
{{- with $values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.extraEnvFrom }}
envFrom:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Command line of a program. Takes: list program heapMiB */}}
{{- define "orbitmq.command" -}}
- --max-old-space-size={{ index . 1 }}
- /opt/orbitmq/bin/{{ index . 0 }}.js
{{- end -}}

{{/* The questions of the kubelet. Takes: values-of-the-component */}}
{{- define "orbitmq.probes" -}}
{{- $ready := dict "httpGet" (dict "path" "/readyz" "port" "metrics") "timeoutSeconds" 3 -}}
{{- $alive := dict "httpGet" (dict "path" "/healthz" "port" "metrics") "timeoutSeconds" 5 -}}
startupProbe:
  {{- toYaml (mergeOverwrite (deepCopy $ready) .startupProbe) | nindent 2 }}
readinessProbe:
  {{- toYaml (mergeOverwrite (deepCopy $ready) .readinessProbe) | nindent 2 }}
livenessProbe:
  {{- toYaml (mergeOverwrite $alive .livenessProbe) | nindent 2 }}
{{- end -}}

{{/* Spread over nodes. Takes: list constraints-by-topology-key selector */}}
{{- define "orbitmq.spread" -}}
{{- $selector := index . 1 -}}
{{- range $key, $constraint := index . 0 }}
- {{ toYaml (mergeOverwrite (dict "topologyKey" $key "labelSelector" (dict "matchLabels" (fromYaml $selector))) $constraint) | nindent 2 | trim }}
{{- end }}
{{- end -}}
