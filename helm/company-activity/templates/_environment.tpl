{{/*
The environment of a service: the common part, then its own. Every name is that of a flag in the binary's --help.
(dict "root" $ "service" name "settings" settings "storage" whether it reaches object storage "site" whether it serves pages)
*/}}
{{- define "company-activity.environment" -}}
{{- $values := .root.Values -}}
- { name: LISTEN, value: "0.0.0.0:{{ (include "company-activity.port" . | fromYaml).number | int }}" }
- { name: ADMIN_LISTEN, value: "0.0.0.0:9464" }
{{- include "company-activity.environment.server" . }}
- { name: DRAIN_TIMEOUT, value: "{{ .settings.drainSeconds }}s" }
- { name: LOG, value: {{ $values.observability.log | quote }} }
- { name: LOG_FORMAT, value: json }
{{- with $values.observability.otlpEndpoint }}
- { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }} }
{{- end }}
- { name: TRACE_QUERY_RATIO, value: {{ $values.observability.traceQueryRatio | quote }} }
{{- if not .site }}
{{ include "company-activity.warehouseUrl" (include "company-activity.warehouse" . | fromYaml) }}
{{- end }}
{{- with include (printf "company-activity.environment.%s" .service) .root }}
{{ . }}
{{- end }}
{{- if .storage }}
{{- include "company-activity.environment.azure" $values.storage.azure }}
{{- end }}
{{- range $name, $value := .settings.env }}
- { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- end -}}

{{/* Where a service finds its warehouse's URL: activity only reads, and may have one of its own. */}}
{{- define "company-activity.warehouse" -}}
{{- $warehouse := .root.Values.warehouse -}}
{{- ternary $warehouse.reader $warehouse (and (eq .service "activity") (ne $warehouse.reader.existingSecret "")) | toYaml -}}
{{- end -}}

{{- define "company-activity.warehouseUrl" -}}
- name: WAREHOUSE_URL
  valueFrom: { secretKeyRef: { name: {{ .existingSecret }}, key: {{ .key }} } }
{{- end -}}

{{- define "company-activity.environment.coordinator" -}}
{{- $root := . -}}
{{- $services := (include "company-activity.services" . | fromYaml).services -}}
{{- $endpoints := list -}}
{{- range without $services.coordinator.calls "notifier" -}}
{{- $endpoints = append $endpoints (printf "%s=%s" . (include "company-activity.url" (dict "root" $root "service" .))) -}}
{{- end -}}
# Each pod holds its own leases.
- { name: HOLDER, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
- { name: PIPELINE_FILE, value: /etc/company-activity/config/pipeline.yaml }
- { name: LEASE_TTL, value: {{ .Values.pipeline.leaseTtl | quote }} }
{{- with .Values.pipeline.historyStart }}
- { name: HISTORY_START, value: {{ . | quote }} }
{{- end }}
{{- with .Values.pipeline.publishDeadline }}
- { name: PUBLISH_DEADLINE, value: {{ . | quote }} }
{{- end }}
- { name: STAGE_ENDPOINT, value: {{ join "," $endpoints | quote }} }
- { name: NOTIFIER_URL, value: {{ include "company-activity.url" (dict "root" . "service" "notifier") | quote }} }
{{- include "company-activity.environment.client" . }}
{{- with .Values.observability.traceUrl }}
- { name: TRACE_URL, value: {{ . | quote }} }
{{- end }}
{{- end -}}

{{- define "company-activity.environment.ingest-crm" -}}
{{- with .Values.crm -}}
- { name: CRM_URL, value: {{ .url | quote }} }
- { name: CRM_ARCHIVE_URL, value: {{ .archiveUrl | quote }} }
- { name: CRM_EFFECTIVE_OFFSET_DAYS, value: {{ .effectiveOffsetDays | int | quote }} }
- { name: CRM_MAX_SHRINK_SHARE, value: {{ .maxShrinkShare | quote }} }
{{- $set := dict "CRM_COLUMNS" .columns "CRM_COLUMNS_PRESET" .columnsPreset "CRM_ENCODING" .encoding "CRM_DATE_PATTERN" .datePattern }}
{{- range $name, $value := $set }}
{{- with $value }}
- { name: {{ $name }}, value: {{ . | quote }} }
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "company-activity.environment.ingest-api" -}}
- { name: LANDING_URL, value: {{ .Values.landing.url | quote }} }
{{- with .Values.productApi }}
- { name: PRODUCT_API_URL, value: {{ .url | quote }} }
{{- if not .allowPrivate }}
- { name: PRODUCT_API_ALLOW_PRIVATE, value: "false" }
{{- end }}
{{- if .allowHttp }}
- { name: PRODUCT_API_ALLOW_HTTP, value: "true" }
{{- end }}
{{- if .existingSecret }}
- { name: PRODUCT_API_TOKEN_FILE, value: /etc/company-activity/secrets/product-api/token }
{{- end }}
- { name: PAGE_SIZE, value: {{ .pageSize | int | quote }} }
- { name: PRODUCT_API_TIMEOUT, value: {{ .timeout | quote }} }
- { name: PRODUCT_API_CONCURRENCY, value: {{ .concurrency | int | quote }} }
- { name: PRODUCT_API_PAGE_CONCURRENCY, value: {{ .pageConcurrency | int | quote }} }
{{- with .maxRate }}
- { name: PRODUCT_API_MAX_RATE, value: {{ . | int64 | quote }} }
{{- end }}
- { name: REPOLL_DAYS, value: {{ .repollDays | int | quote }} }
{{- with .fields }}
- { name: PRODUCT_API_FIELDS, value: {{ . | quote }} }
{{- end }}
{{- end }}
{{- with .Values.pipeline.historyStart }}
- { name: HISTORY_START, value: {{ . | quote }} }
{{- end }}
{{- end -}}

{{- define "company-activity.environment.ingest-events" -}}
- { name: EVENTS_URL, value: {{ .Values.events.url | quote }} }
{{- end -}}

{{- define "company-activity.environment.transform" -}}
- { name: AUDIT_FILE, value: /etc/company-activity/config/audits.yaml }
{{- end -}}

{{/* Only the common part. */}}
{{- define "company-activity.environment.activity" -}}
{{- end -}}

{{- define "company-activity.environment.notifier" -}}
{{- with .Values.alerts -}}
- { name: NOTIFY_TIMEOUT, value: {{ .timeout | quote }} }
{{- if .allowPrivate }}
- { name: WEBHOOK_ALLOW_PRIVATE, value: "true" }
{{- end }}
{{- if .allowHttp }}
- { name: WEBHOOK_ALLOW_HTTP, value: "true" }
{{- end }}
{{- end }}
{{- range $channel, $entry := (include "company-activity.channels" . | fromYaml).channels }}
{{- $webhook := ternary "WEBHOOK" (printf "%s_WEBHOOK" (upper $channel)) (eq $channel "webhook") }}
- { name: {{ $webhook }}_URL_FILE, value: /etc/company-activity/secrets/{{ $channel }}/url }
{{- if $entry.signingKeyKey }}
- { name: {{ $webhook }}_SECRET_FILE, value: /etc/company-activity/secrets/{{ $channel }}/signing-key }
{{- end }}
{{- end }}
{{- end -}}

{{/* The console sends what visitors prove themselves with, and has no token of its own. */}}
{{- define "company-activity.environment.console" -}}
- { name: COORDINATOR_URL, value: {{ include "company-activity.url" (dict "root" . "service" "coordinator") | quote }} }
- { name: ACTIVITY_URL, value: {{ include "company-activity.url" (dict "root" . "service" "activity") | quote }} }
{{- include "company-activity.environment.connection" . }}
{{- with .Values.console.publicUrl }}
- { name: CONSOLE_PUBLIC_URL, value: {{ . | quote }} }
{{- end }}
{{- with .Values.console.oidc }}
{{- if .issuer }}
- { name: OIDC_ISSUER, value: {{ .issuer | quote }} }
- { name: OIDC_CLIENT_ID, value: {{ .clientId | quote }} }
{{- if .existingSecret }}
- { name: OIDC_CLIENT_SECRET_FILE, value: /etc/company-activity/secrets/identity-provider/client-secret }
{{- end }}
- { name: OIDC_SCOPES, value: {{ .scopes | quote }} }
- { name: OIDC_TOKEN, value: {{ .token | quote }} }
{{- if .allowPrivate }}
- { name: OIDC_ALLOW_PRIVATE, value: "true" }
{{- end }}
{{- if .caConfigMap }}
- { name: OIDC_CA_FILE, value: /etc/company-activity/identity-provider/ca.crt }
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The alert channels that have a Secret: {"channels": {name: {existingSecret, key, ...}}}. */}}
{{- define "company-activity.channels" -}}
{{- $channels := dict -}}
{{- range $name, $entry := .Values.alerts -}}
{{- if kindIs "map" $entry -}}
{{- if $entry.existingSecret -}}
{{- $_ := set $channels $name $entry -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "channels" $channels | toYaml -}}
{{- end -}}

{{/* The environment of activityctl maintain: the warehouse, and where the ingests keep their files. */}}
{{- define "company-activity.environment.maintenance" -}}
{{ include "company-activity.warehouseUrl" .Values.warehouse }}
- { name: LANDING_URL, value: {{ .Values.landing.url | quote }} }
- { name: CRM_ARCHIVE_URL, value: {{ .Values.crm.archiveUrl | quote }} }
{{- with .Values.maintenance }}
- { name: KEEP_MONTHS, value: {{ .keepMonths | int | quote }} }
- { name: KEEP_HISTORY_DAYS, value: {{ .keepHistoryDays | int | quote }} }
- { name: KEEP_LANDED_MONTHS, value: {{ .keepLandedMonths | int | quote }} }
- { name: LEFTOVERS_AFTER, value: {{ .leftoversAfter | quote }} }
{{- end }}
{{- include "company-activity.environment.azure" .Values.storage.azure }}
{{- end -}}

{{/* What crates/landing reads. The variables of a workload identity are set by its webhook, which the pod's label triggers. */}}
{{- define "company-activity.environment.azure" -}}
{{- $secret := .existingSecret -}}
{{- if $secret -}}
{{- range $name, $key := dict
  "AZURE_STORAGE_CONNECTION_STRING" .connectionStringKey
  "AZURE_STORAGE_ACCOUNT_KEY" .accountKeyKey
  "AZURE_STORAGE_SAS_TOKEN" .sasTokenKey -}}
{{- if $key }}
- name: {{ $name }}
  valueFrom: { secretKeyRef: { name: {{ $secret }}, key: {{ $key }} } }
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .accountName }}
- { name: AZURE_STORAGE_ACCOUNT_NAME, value: {{ . | quote }} }
{{- end }}
{{- with .endpoint }}
- { name: AZURE_STORAGE_ENDPOINT, value: {{ . | quote }} }
{{- end }}
{{- end -}}
