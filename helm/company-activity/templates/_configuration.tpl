{{- define "company-activity.pipeline" -}}
{{- if .Values.pipeline.definition -}}
{{ .Values.pipeline.definition }}
{{- else -}}
{{ .Files.Get (printf "files/pipelines/%s.yaml" (ternary "with-events" "daily" .Values.events.enabled)) }}
{{- end -}}
{{- end -}}

{{/* Helm's YAML reads a bare `off` as false, the service's YAML as text. */}}
{{- define "company-activity.audits" -}}
{{- $audits := dict -}}
{{- range $name, $setting := .Values.audits -}}
{{- $audits = set $audits $name (ternary "off" $setting (kindIs "bool" $setting)) -}}
{{- end -}}
{{ toYaml $audits }}
{{- end -}}
