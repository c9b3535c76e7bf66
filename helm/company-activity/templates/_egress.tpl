{{/* Egress rules of a NetworkPolicy. An empty list of peers means anywhere. */}}

{{/* (dict "to" peers "ports" ports) */}}
{{- define "company-activity.egress.rule" -}}
- ports:
    {{- range .ports }}
    - { protocol: TCP, port: {{ . | int }} }
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "company-activity.egress.dns" -}}
- ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
  {{- with .Values.networkPolicy.dnsTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "company-activity.egress.warehouse" -}}
{{ include "company-activity.egress.rule" .Values.networkPolicy.warehouse }}
{{- end -}}

{{- define "company-activity.egress.storage" -}}
{{- $ports := .Values.networkPolicy.storage.ports -}}
{{- with .Values.storage.azure.endpoint -}}
{{- $ports = append $ports (include "company-activity.portOf" . | int) | uniq -}}
{{- end -}}
{{ include "company-activity.egress.rule" (dict "to" .Values.networkPolicy.storage.to "ports" $ports) }}
{{- end -}}

{{/* To pods of this release: (dict "root" $ "services" names) */}}
{{- define "company-activity.egress.services" -}}
{{- $root := .root -}}
- ports:
    - { protocol: TCP, port: 50051 }
  to:
    {{- range .services }}
    - podSelector:
        matchLabels:
          {{- include "company-activity.serviceSelector" (dict "root" $root "service" .) | nindent 10 }}
    {{- end }}
{{- end -}}

{{/* All egress of a service: (dict "root" $ "name" name "service" service) */}}
{{- define "company-activity.egress" -}}
{{- $values := .root.Values -}}
{{- $policy := $values.networkPolicy -}}
{{ include "company-activity.egress.dns" .root }}
{{- if not .service.site }}
{{ include "company-activity.egress.warehouse" .root }}
{{- if $values.auth.enabled }}
{{ include "company-activity.egress.rule" $policy.tokenIssuers }}
{{- end }}
{{- end }}
{{- with .service.calls }}
{{ include "company-activity.egress.services" (dict "root" $.root "services" .) }}
{{- end }}
{{- if .service.storage }}
{{ include "company-activity.egress.storage" .root }}
{{- end }}
{{- if eq .name "ingest-api" }}
{{ include "company-activity.egress.rule" (dict "to" $policy.productApi.to "ports" (list (include "company-activity.portOf" $values.productApi.url))) }}
{{- end }}
{{- if and (eq .name "console") $values.console.oidc.issuer }}
{{ include "company-activity.egress.rule" (dict "to" $policy.identityProvider.to "ports" (list (include "company-activity.portOf" $values.console.oidc.issuer))) }}
{{- end }}
{{- if and (eq .name "notifier") (include "company-activity.channels" .root | fromYaml).channels }}
{{ include "company-activity.egress.rule" $policy.alerts }}
{{- end }}
{{- with $values.observability.otlpEndpoint }}
{{ include "company-activity.egress.rule" (dict "to" $policy.collector.to "ports" (list (include "company-activity.portOf" .))) }}
{{- end }}
{{- end -}}
