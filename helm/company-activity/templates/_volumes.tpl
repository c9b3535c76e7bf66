{{/*
The volumes of a service, or of a pod that calls one, as YAML: {"volumes": [...], "mounts": [...]}. Either may be empty.
(dict "root" $ "service" name "storage" bool)
*/}}
{{- define "company-activity.volumes" -}}
{{- $values := .root.Values -}}
{{- $volumes := list -}}
{{- $mounts := list -}}
{{- if has .service (list "coordinator" "transform") -}}
{{- $config := printf "%s-%s" (include "company-activity.fullname" .root) (ternary "pipeline" "audits" (eq .service "coordinator")) -}}
{{- $volumes = append $volumes (dict "name" "config" "configMap" (dict "name" $config)) -}}
{{- $mounts = append $mounts (dict "name" "config" "mountPath" "/etc/company-activity/config" "readOnly" true) -}}
{{- end -}}
{{- $oidc := $values.console.oidc -}}
{{- if and (eq .service "console") $oidc.issuer $oidc.caConfigMap -}}
{{- $items := list (dict "key" "ca.crt" "path" "ca.crt") -}}
{{- $volumes = append $volumes (dict "name" "provider-ca" "configMap" (dict "name" $oidc.caConfigMap "items" $items)) -}}
{{- $mounts = append $mounts (dict "name" "provider-ca" "mountPath" "/etc/company-activity/identity-provider" "readOnly" true) -}}
{{- end -}}
{{- range (include "company-activity.secretFiles" . | fromYaml).secrets -}}
{{- $volumes = append $volumes (dict "name" .name "secret" (dict "secretName" .secret "defaultMode" 0440 "items" .items)) -}}
{{- $mounts = append $mounts (dict "name" .name "mountPath" (printf "/etc/company-activity/secrets/%s" .name) "readOnly" true) -}}
{{- end -}}
{{- $service := index (include "company-activity.services" .root | fromYaml).services .service | default dict -}}
{{- $server := ne (len $service) 0 -}}
{{- $client := or $service.calls (hasKey (include "company-activity.clients" .root | fromYaml).clients .service) -}}
{{- /* A site has no policy, and no token of its own: it calls with what its visitors show it. */ -}}
{{- if and $values.auth.enabled $server (not $service.site) -}}
{{- $sources := (include "company-activity.accessFiles" .root | fromYaml).sources -}}
{{- $volumes = append $volumes (dict "name" "access" "projected" (dict "defaultMode" 0440 "sources" $sources)) -}}
{{- $mounts = append $mounts (dict "name" "access" "mountPath" "/etc/company-activity/access" "readOnly" true) -}}
{{- end -}}
{{- if and $values.auth.enabled $client (not $service.site) -}}
{{- $token := dict "audience" (include "company-activity.audience" .root) "path" "token" "expirationSeconds" 3600 -}}
{{- $volumes = append $volumes (dict "name" "token" "projected" (dict "defaultMode" 0440 "sources" (list (dict "serviceAccountToken" $token)))) -}}
{{- $mounts = append $mounts (dict "name" "token" "mountPath" "/var/run/company-activity" "readOnly" true) -}}
{{- end -}}
{{- if and (include "company-activity.tls" .root) (or $server $client) -}}
{{- $certificate := include "company-activity.certificate" (dict "root" .root "service" .service "server" $server "client" $client) | fromYaml -}}
{{- $items := list -}}
{{- range $certificate.keys -}}
{{- $items = append $items (dict "key" . "path" .) -}}
{{- end -}}
{{- $volumes = append $volumes (dict "name" "tls" "secret" (dict "secretName" $certificate.secret "defaultMode" 0440 "items" $items)) -}}
{{- $mounts = append $mounts (dict "name" "tls" "mountPath" "/etc/company-activity/tls" "readOnly" true) -}}
{{- end -}}
{{- if and .storage $values.storage.volume.existingClaim -}}
{{- $volumes = append $volumes (dict "name" "storage" "persistentVolumeClaim" (dict "claimName" $values.storage.volume.existingClaim)) -}}
{{- $mounts = append $mounts (dict "name" "storage" "mountPath" $values.storage.volume.mountPath) -}}
{{- end -}}
{{- dict "volumes" $volumes "mounts" $mounts | toYaml -}}
{{- end -}}

{{/* The Secrets that a service reads as files: {"secrets": [{name, secret, items}]}. */}}
{{- define "company-activity.secretFiles" -}}
{{- $values := .root.Values -}}
{{- $secrets := list -}}
{{- if and (eq .service "ingest-api") $values.productApi.existingSecret -}}
{{- $items := list (dict "key" $values.productApi.key "path" "token") -}}
{{- $secrets = append $secrets (dict "name" "product-api" "secret" $values.productApi.existingSecret "items" $items) -}}
{{- end -}}
{{- if and (eq .service "console") $values.console.oidc.issuer $values.console.oidc.existingSecret -}}
{{- $items := list (dict "key" $values.console.oidc.key "path" "client-secret") -}}
{{- $secrets = append $secrets (dict "name" "identity-provider" "secret" $values.console.oidc.existingSecret "items" $items) -}}
{{- end -}}
{{- if eq .service "notifier" -}}
{{- range $channel, $entry := (include "company-activity.channels" .root | fromYaml).channels -}}
{{- $items := list (dict "key" $entry.key "path" "url") -}}
{{- with $entry.signingKeyKey -}}
{{- $items = append $items (dict "key" . "path" "signing-key") -}}
{{- end -}}
{{- $secrets = append $secrets (dict "name" $channel "secret" $entry.existingSecret "items" $items) -}}
{{- end -}}
{{- end -}}
{{- dict "secrets" $secrets | toYaml -}}
{{- end -}}
