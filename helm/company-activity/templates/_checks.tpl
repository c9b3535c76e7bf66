{{/* What a schema cannot say: values that each are right, and together are not. */}}
{{- define "company-activity.checks" -}}
{{- $azure := .Values.storage.azure -}}
{{- $volume := .Values.storage.volume -}}
{{- $locations := dict "crm.url" .Values.crm.url "crm.archiveUrl" .Values.crm.archiveUrl "landing.url" .Values.landing.url -}}
{{- if .Values.events.enabled -}}
{{- $locations = set $locations "events.url" .Values.events.url -}}
{{- end -}}
{{- range $name, $url := $locations -}}
{{- if hasPrefix "file://" $url -}}
{{- if not $volume.existingClaim -}}
{{- fail (printf "%s is a folder, but no volume would keep it: set storage.volume.existingClaim" $name) -}}
{{- end -}}
{{- if not (hasPrefix (printf "file://%s/" $volume.mountPath) $url) -}}
{{- fail (printf "%s must be below the volume: file://%s/..." $name $volume.mountPath) -}}
{{- end -}}
{{- else if not (or (and $azure.existingSecret $azure.connectionStringKey) $azure.accountName) -}}
{{- fail (printf "%s is in Azure Blob Storage: set storage.azure.accountName, or a Secret and its storage.azure.connectionStringKey" $name) -}}
{{- end -}}
{{- end -}}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and .Values.observability.podMonitor.enabled .Values.observability.serviceMonitor.enabled -}}
{{- fail "observability.podMonitor and observability.serviceMonitor would scrape every pod twice: enable one of them" -}}
{{- end -}}
{{- if and .Values.alerts.webhook.signingKeyKey (not .Values.alerts.webhook.existingSecret) -}}
{{- fail "alerts.webhook.signingKeyKey is a key of alerts.webhook.existingSecret, which is not set" -}}
{{- end -}}
{{- end -}}
