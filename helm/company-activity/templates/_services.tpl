{{/*
The services of this release, from the rows of files/services.yaml, as YAML: {"services": {name: {...}}}.
All templates range over this.

  settings   serviceDefaults, overridden by services.<name>
  stopped    whether it has no pods, by replicas: 0, which overrides an autoscaler
  scaled     whether an autoscaler sets the number of its pods
  storage    whether it reaches object storage
  site       whether it serves pages over HTTP, instead of gRPC
  calls      the services that it calls
  egress     other egress: a list of NetworkPolicy rules
*/}}
{{- define "company-activity.services" -}}
{{- $rows := list -}}
{{- $stages := list -}}
{{- range $row := .Files.Get "files/services.yaml" | fromYamlArray -}}
{{- if or (not $row.optional) (dig $row.optional "enabled" false $.Values.AsMap) -}}
{{- $rows = append $rows $row -}}
{{- if $row.stages -}}{{- $stages = append $stages $row.name -}}{{- end -}}
{{- end -}}
{{- end -}}
services:
{{- range $row := $rows }}
  {{- $name := $row.name }}
  {{- $settings := mergeOverwrite (deepCopy $.Values.serviceDefaults) (index $.Values.services $name | default dict) }}
  {{- if $row.site }}
  {{- /* Sessions are in the memory of one pod. */}}
  {{- $settings = set $settings "replicas" (min 1 (int $settings.replicas)) }}
  {{- end }}
  {{- $stopped := eq (int $settings.replicas) 0 }}
  {{ $name }}:
    stopped: {{ $stopped }}
    scaled: {{ and (eq $name "activity") $.Values.autoscaling.enabled (not $stopped) }}
    storage: {{ $row.storage | default false }}
    site: {{ $row.site | default false }}
    calls: {{ ternary (append $stages "notifier") (default list $row.calls) (eq $name "coordinator") | toJson }}
    settings:
      {{- toYaml $settings | nindent 6 }}
{{- end }}
{{- end -}}

{{/* The labels that select a service's pods: (dict "root" $ "service" name). */}}
{{- define "company-activity.serviceSelector" -}}
{{ include "company-activity.selectorLabels" .root }}
app.kubernetes.io/component: {{ .service }}
{{- end -}}

{{/* What a service serves, which is also the name of its port, as YAML: {"port": name, "number": port}. */}}
{{- define "company-activity.port" -}}
{{ ternary (dict "port" "http" "number" 50080) (dict "port" "grpc" "number" 50051) .site | toYaml }}
{{- end -}}

{{/*
Seconds from a pod's deletion until it is killed: clients notice, calls drain, interrupted stages roll back (5 s),
telemetry is flushed (5 s), and 10 s of margin.
*/}}
{{- define "company-activity.gracePeriod" -}}
{{- add .root.Values.preStopSleepSeconds .settings.drainSeconds 20 -}}
{{- end -}}
