{{/* The prefix of all names: 40 characters leave 12 for the suffix of a CronJob, whose name may have at most 52. */}}
{{- define "company-activity.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The labels that select this release's pods. They never change: selectors are immutable. */}}
{{- define "company-activity.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "company-activity.labels" -}}
{{ include "company-activity.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: company-activity
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of a pod template. They have no versions, so that pods restart only when they change. */}}
{{- define "company-activity.podLabels" -}}
{{ include "company-activity.selectorLabels" . }}
app.kubernetes.io/part-of: company-activity
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "company-activity.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* The URL of a service of this release: (dict "root" $ "service" "coordinator"). */}}
{{- define "company-activity.url" -}}
{{ ternary "https" "http" (ne (include "company-activity.tls" .root) "") }}://{{ include "company-activity.fullname" .root }}-{{ .service }}:50051
{{- end -}}

{{/* The port of a URL, or the default port of its scheme. */}}
{{- define "company-activity.portOf" -}}
{{- $url := urlParse . -}}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) -}}
{{- default (ternary "443" "80" (eq $url.scheme "https")) $port -}}
{{- end -}}

{{/*
Whether to render an object of the Prometheus operator: `auto` renders it if the cluster has its kind.
(dict "root" $ "enabled" value "kind" "PodMonitor")
*/}}
{{- define "company-activity.wanted" -}}
{{- if kindIs "bool" .enabled -}}
{{- ternary "yes" "" .enabled -}}
{{- else if .root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" .kind) -}}
yes
{{- end -}}
{{- end -}}
