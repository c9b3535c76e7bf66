{{/* Not empty if services speak TLS. */}}
{{- define "company-activity.tls" -}}
{{- if or .Values.tls.certManager.enabled .Values.tls.existingSecret -}}
yes
{{- end -}}
{{- end -}}

{{/*
The certificate that a pod reads, as YAML: {"secret": name, "keys": [...]}.
(dict "root" $ "service" name "server" whether it serves "client" whether it calls services)
*/}}
{{- define "company-activity.certificate" -}}
{{- $tls := .root.Values.tls -}}
{{- $owner := .service -}}
{{- $shows := or .server (ne $tls.clientCertificates "none") -}}
{{- if not $shows -}}
{{- /* It only verifies the service that it calls, whose Secret has the CA. */ -}}
{{- $owner = (index (include "company-activity.clients" .root | fromYaml).clients .service).calls -}}
{{- end -}}
{{- $keys := ternary (list "tls.crt" "tls.key") (list) $shows -}}
{{- if or .client (ne $tls.clientCertificates "none") -}}
{{- $keys = append $keys "ca.crt" -}}
{{- end -}}
{{- $issued := printf "%s-%s-tls" (include "company-activity.fullname" .root) $owner -}}
secret: {{ default $issued $tls.existingSecret }}
keys: {{ $keys | toJson }}
{{- end -}}
