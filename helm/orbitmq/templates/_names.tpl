{{/* Name of all objects: that of the release, so that `helm install mq` makes a Service mq. Room is left for what is appended. */}}
{{- define "orbitmq.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if .Values.nameOverride -}}
{{- printf "%s-%s" .Release.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* brokerName of the shard with an index: broker-a … broker-z, broker-aa, broker-ab … */}}
{{- define "orbitmq.brokerName" -}}
{{- $letters := "" -}}
{{- $left := add1 (int .) -}}
{{- range until 4 -}}
{{- if gt (int $left) 0 -}}
{{- $letter := mod (sub $left 1) 26 | int -}}
{{- $letters = printf "%s%s" (substr $letter (add1 $letter | int) "abcdefghijklmnopqrstuvwxyz") $letters -}}
{{- $left = div (sub $left 1) 26 -}}
{{- end -}}
{{- end -}}
{{- printf "broker-%s" $letters -}}
{{- end -}}

{{/* DNS name behind the name of a headless Service. */}}
{{- define "orbitmq.domain" -}}
{{- printf "%s.svc.%s" .Release.Namespace .Values.clusterDomain -}}
{{- end -}}

{{/* host:port of each name server, for brokers and operators. */}}
{{- define "orbitmq.nameServerAddresses" -}}
{{- $root := . -}}
{{- $name := printf "%s-namesrv" (include "orbitmq.fullname" .) -}}
{{- $addresses := list -}}
{{- range $index := until (int .Values.nameServer.replicas) -}}
{{- $addresses = append $addresses (printf "%s-%d.%s.%s:9876" $name $index $name (include "orbitmq.domain" $root)) -}}
{{- end -}}
{{- join ";" $addresses -}}
{{- end -}}

{{/* Names by which clients in the cluster dial name servers: such clients reach brokers directly. */}}
{{- define "orbitmq.clusterAddresses" -}}
{{- $root := . -}}
{{- $service := include "orbitmq.fullname" . -}}
{{- $headless := printf "%s-namesrv" $service -}}
{{- $names := list $service $headless -}}
{{- range $index := until (int .Values.nameServer.replicas) -}}
{{- $names = append $names (printf "%s-%d.%s" $headless $index $headless) -}}
{{- end -}}
{{- $addresses := list -}}
{{- range $names -}}
{{- $inNamespace := printf "%s.%s" . $root.Release.Namespace -}}
{{- $addresses = concat $addresses (list . $inNamespace (printf "%s.svc" $inNamespace) (printf "%s.svc.%s" $inNamespace $root.Values.clusterDomain)) -}}
{{- end -}}
{{- concat $addresses .Values.nameServer.clusterAddresses | join ";" -}}
{{- end -}}

{{/* Secret with the certificate of the client ports; nothing when there is none. */}}
{{- define "orbitmq.tlsSecret" -}}
{{- if .Values.tls.existingSecret -}}
{{- .Values.tls.existingSecret -}}
{{- else if .Values.tls.certManager.enabled -}}
{{- include "orbitmq.fullname" . -}}-tls
{{- end -}}
{{- end -}}

{{/* Secret with haAccessKey. */}}
{{- define "orbitmq.accessKeySecret" -}}
{{- .Values.replication.accessKey.existingSecret | default (printf "%s-replication" (include "orbitmq.fullname" .)) -}}
{{- end -}}

{{/* Service account of the members of a shard. Takes: list root brokerName */}}
{{- define "orbitmq.brokerServiceAccount" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.broker.serviceAccount.create -}}
{{- printf "%s-%s" (include "orbitmq.fullname" $root) (index . 1) -}}
{{- else -}}
{{- required "broker.serviceAccount.name must be set when broker.serviceAccount.create is false" $root.Values.broker.serviceAccount.name -}}
{{- end -}}
{{- end -}}
