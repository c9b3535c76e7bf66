{{/* What a schema cannot express: values that are valid alone, but not together. */}}
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
{{- fail "observability.podMonitor and observability.serviceMonitor would scrape every pod twice: enable one of them, and set the other one to false" -}}
{{- end -}}
{{- if and .Values.alerts.webhook.signingKeyKey (not .Values.alerts.webhook.existingSecret) -}}
{{- fail "alerts.webhook.signingKeyKey is a key of alerts.webhook.existingSecret, which is not set" -}}
{{- end -}}
{{- include "company-activity.checks.tls" .Values.tls -}}
{{- if .Values.console.enabled -}}
{{- include "company-activity.checks.console" . -}}
{{- end -}}
{{- if .Values.checkSecrets -}}
{{- include "company-activity.checks.secrets" . -}}
{{- end -}}
{{- end -}}

{{- define "company-activity.checks.tls" -}}
{{- if and .certManager.enabled .existingSecret -}}
{{- fail "tls.certManager and tls.existingSecret are two sources of certificates: leave one of them out" -}}
{{- end -}}
{{- if and .certManager.enabled (not .certManager.issuerRef.name) -}}
{{- fail "tls.certManager needs an issuer: set tls.certManager.issuerRef.name" -}}
{{- end -}}
{{- if and (ne .clientCertificates "none") (not .certManager.enabled) (not .existingSecret) -}}
{{- fail "tls.clientCertificates needs TLS: enable tls.certManager or set tls.existingSecret" -}}
{{- end -}}
{{- end -}}

{{- define "company-activity.checks.console" -}}
{{- $console := .Values.console -}}
{{- if gt (int (dig "console" "replicas" 1 .Values.services)) 1 -}}
{{- fail "services.console.replicas: sessions are in the memory of one pod, and a second one would ask everybody to sign in again" -}}
{{- end -}}
{{- if and $console.oidc.issuer (not $console.oidc.clientId) -}}
{{- fail "console.oidc.issuer needs the client that the provider knows the console by: set console.oidc.clientId" -}}
{{- end -}}
{{- if and $console.oidc.issuer .Values.auth.enabled -}}
{{- $known := list -}}
{{- range .Values.auth.issuers -}}{{- $known = append $known .issuer -}}{{- end -}}
{{- if not (has $console.oidc.issuer $known) -}}
{{- fail (printf "console.oidc.issuer is none of auth.issuers, so services would refuse everybody who signs in: add %s there, and what its people may do to auth.grants" $console.oidc.issuer) -}}
{{- end -}}
{{- end -}}
{{- if or $console.ingress.enabled $console.httpRoute.enabled -}}
{{- if not $console.publicUrl -}}
{{- fail "the console's Ingress or route needs the address that people open: set console.publicUrl" -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.browseFrom) -}}
{{- fail "the console's Ingress or route leads to a pod that lets nobody in: name the controller's pods in networkPolicy.browseFrom" -}}
{{- end -}}
{{- end -}}
{{- if and $console.httpRoute.enabled (not $console.httpRoute.parentRefs) -}}
{{- fail "console.httpRoute needs the Gateway that it is attached to: set console.httpRoute.parentRefs" -}}
{{- end -}}
{{- end -}}

{{/*
A pod without its Secret waits silently, and Helm waits for the pod. So with a cluster, Secrets are looked up first.
`helm template` has no cluster: its lookup returns nothing, not even an empty list.
*/}}
{{- define "company-activity.checks.secrets" -}}
{{- $answer := lookup "v1" "Secret" .Release.Namespace "" -}}
{{- if hasKey $answer "items" -}}
{{- $namespace := .Release.Namespace -}}
{{- $there := dict -}}
{{- range $answer.items -}}
{{- $there = set $there .metadata.name (keys (default dict .data) | sortAlpha) -}}
{{- end -}}
{{- $problems := list -}}
{{- range (include "company-activity.secrets" . | fromYaml).secrets -}}
{{- if not (hasKey $there .secret) -}}
{{- $problems = append $problems (printf "%s: namespace %s has no Secret %s (key %s)" .value $namespace .secret .key) -}}
{{- else if not (has .key (index $there .secret)) -}}
{{- $problems = append $problems (printf "%s: Secret %s has no key %s, only %s" .value .secret .key (default "none" (join ", " (index $there .secret)))) -}}
{{- end -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "pods would wait for Secrets that are not there:\n- %s\nMake them first, or set checkSecrets to false if something makes them at the same time" (join "\n- " $problems)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The Secrets that pods read, each with the value that names it: {"secrets": [{value, secret, key}]}. */}}
{{- define "company-activity.secrets" -}}
{{- $azure := .Values.storage.azure -}}
{{- $migration := .Values.warehouse.migration -}}
{{- $named := list
  (list "warehouse.existingSecret" .Values.warehouse.existingSecret .Values.warehouse.key)
  (list "warehouse.migration.existingSecret" (ternary $migration.existingSecret "" $migration.enabled) $migration.key)
  (list "warehouse.reader.existingSecret" .Values.warehouse.reader.existingSecret .Values.warehouse.reader.key)
  (list "productApi.existingSecret" .Values.productApi.existingSecret .Values.productApi.key)
  (list "storage.azure.connectionStringKey" $azure.existingSecret $azure.connectionStringKey)
  (list "storage.azure.accountKeyKey" $azure.existingSecret $azure.accountKeyKey)
  (list "storage.azure.sasTokenKey" $azure.existingSecret $azure.sasTokenKey)
  (list "tls.existingSecret" .Values.tls.existingSecret "tls.crt")
  (list "tls.existingSecret" .Values.tls.existingSecret "tls.key")
  (list "tls.existingSecret" .Values.tls.existingSecret "ca.crt")
  (list "console.oidc.existingSecret" (ternary .Values.console.oidc.existingSecret "" (and .Values.console.enabled (ne .Values.console.oidc.issuer ""))) .Values.console.oidc.key)
  (list "auth.staticTokens.existingSecret" (ternary .Values.auth.staticTokens.existingSecret "" .Values.auth.enabled) .Values.auth.staticTokens.key) -}}
{{- range $channel, $entry := (include "company-activity.channels" . | fromYaml).channels -}}
{{- $named = append $named (list (printf "alerts.%s.existingSecret" $channel) $entry.existingSecret $entry.key) -}}
{{- $named = append $named (list (printf "alerts.%s.signingKeyKey" $channel) $entry.existingSecret $entry.signingKeyKey) -}}
{{- end -}}
{{- $secrets := list -}}
{{- range $one := $named -}}
{{- if and (index $one 1) (index $one 2) -}}
{{- $secrets = append $secrets (dict "value" (index $one 0) "secret" (index $one 1) "key" (index $one 2)) -}}
{{- end -}}
{{- end -}}
{{- dict "secrets" $secrets | toYaml -}}
{{- end -}}
