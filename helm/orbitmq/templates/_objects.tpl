{{/* Labels by which objects of a component are selected: they never change. Takes: list root component */}}
{{- define "orbitmq.selector" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Name, namespace, labels and annotations of an object. Takes: list root component suffix, and maybe labels and annotations */}}
{{- define "orbitmq.metadata" -}}
{{- $root := index . 0 -}}
{{- $suffix := index . 2 -}}
{{- $labels := dict -}}
{{- $annotations := dict -}}
{{- if gt (len .) 3 -}}{{- $labels = index . 3 -}}{{- end -}}
{{- if gt (len .) 4 -}}{{- $annotations = index . 4 -}}{{- end -}}
name: {{ include "orbitmq.fullname" $root }}{{ with $suffix }}-{{ . }}{{ end }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "orbitmq.selector" (list $root (index . 1)) | nindent 2 }}
  app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ $root.Release.Service }}
  app.kubernetes.io/part-of: {{ $root.Chart.Name }}
  helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_") }}
  {{- with mergeOverwrite (dict) $labels $root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with mergeOverwrite (dict) $annotations $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* An object with what is to be merged over it. Takes: list text-of-the-object map */}}
{{- define "orbitmq.merged" -}}
{{- $object := fromYaml (index . 0) -}}
{{- if hasKey $object "Error" -}}{{- fail (printf "the chart made an object that is no YAML: %s" $object.Error) -}}{{- end -}}
{{- toYaml (mergeOverwrite $object (deepCopy (index . 1))) -}}
{{- end -}}

{{/* Name of the image. */}}
{{- define "orbitmq.image" -}}
{{- with .Values.image -}}
{{- with .registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- .repository -}}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* A properties file of a map: RocketMQ's keys. */}}
{{- define "orbitmq.properties" -}}
{{- range $key, $value := . }}
{{- $text := $value -}}
{{- if kindIs "string" $value -}}
{{- $text = $value | replace "\\" "\\\\" | replace "\n" "\\n" -}}
{{- else -}}
{{- /* Numbers of a values file are floating-point numbers; JSON writes whole ones without an exponent. */ -}}
{{- $text = toJson $value -}}
{{- end }}
{{ $key }}={{ $text }}
{{- end }}
{{- end -}}
