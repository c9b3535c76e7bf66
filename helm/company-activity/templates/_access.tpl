{{/* Who may call the services, and how the release's own callers prove who they are: docs/access.md. */}}

{{/*
The pods that call services without being one, as YAML: {"clients": {name: {calls, role}}}. The coordinator, which is
both, is not among them.
*/}}
{{- define "company-activity.clients" -}}
clients:
  test: { calls: coordinator, role: operator }
  test-query: { calls: activity, role: reader }
  {{- if .Values.trigger.enabled }}
  trigger: { calls: coordinator, role: operator }
  {{- end }}
  {{- if .Values.reconciliation.enabled }}
  reconciliation: { calls: coordinator, role: operator }
  {{- end }}
{{- end -}}

{{/* The audience that tokens of service accounts must be for. A token for another release is not good here. */}}
{{- define "company-activity.audience" -}}
{{- default (printf "%s.%s" (include "company-activity.fullname" .) .Release.Namespace) .Values.auth.cluster.audience -}}
{{- end -}}

{{/* The name that grants give to an account of this release: (dict "root" $ "account" component). */}}
{{- define "company-activity.identity" -}}
cluster:system:serviceaccount:{{ .root.Release.Namespace }}:{{ include "company-activity.fullname" .root }}-{{ .account }}
{{- end -}}

{{- define "company-activity.access" -}}
{{- $root := . -}}
issuers:
  - name: cluster
    issuer: {{ .Values.auth.cluster.issuer | quote }}
    audiences: [{{ include "company-activity.audience" . | quote }}]
    # The discovery document names an address of the API server's host, which pods may not reach.
    jwks_uri: https://kubernetes.default.svc/openid/v1/jwks
    # The API server's Service has a private address in every cluster.
    allow_private: true
    ca_file: cluster/ca.crt
    token_file: cluster/token
  {{- with .Values.auth.issuers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if .Values.auth.staticTokens.existingSecret }}
static_tokens_file: tokens
{{- end }}
grants:
  - identity: {{ include "company-activity.identity" (dict "root" . "account" "coordinator") }}
    roles: [stage, alerts]
  {{- range $name, $client := (include "company-activity.clients" . | fromYaml).clients }}
  - identity: {{ include "company-activity.identity" (dict "root" $root "account" $name) }}
    roles: [{{ $client.role }}]
  {{- end }}
  {{- if .Values.auth.commandLine }}
  - identity: {{ include "company-activity.identity" (dict "root" . "account" "activityctl") }}
    roles: [reader, operator]
  {{- end }}
  {{- with .Values.auth.grants }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/*
The policy and the files beside it, as sources of a volume: {"sources": [...]}. The API server publishes the keys of its
tokens to whoever has a token for the API server itself; this one has no other rights, for nothing is bound to its account.
*/}}
{{- define "company-activity.accessFiles" -}}
sources:
  {{- with .Values.auth.issuerFiles }}
  - configMap: { name: {{ . }} }
  {{- end }}
  - configMap:
      name: {{ include "company-activity.fullname" . }}-access
      items: [{ key: access.yaml, path: access.yaml }]
  {{- with .Values.auth.staticTokens }}
  {{- if .existingSecret }}
  - secret:
      name: {{ .existingSecret }}
      items: [{ key: {{ .key }}, path: tokens }]
  {{- end }}
  {{- end }}
  - configMap:
      name: kube-root-ca.crt
      items: [{ key: ca.crt, path: cluster/ca.crt }]
  - serviceAccountToken: { path: cluster/token, expirationSeconds: 3600 }
{{- end -}}

{{/*
What a server needs to know about its callers: (dict "root" $ "site" whether it serves pages). A site asks the services
what its visitors may do, and no browser for a certificate.
*/}}
{{- define "company-activity.environment.server" -}}
{{- $values := .root.Values -}}
{{- if not $values.auth.enabled }}
# Network policies alone decide who reaches a service.
- { name: ALLOW_UNAUTHENTICATED, value: "true" }
{{- else if not .site }}
- { name: ACCESS_FILE, value: /etc/company-activity/access/access.yaml }
{{- end }}
{{- if include "company-activity.tls" .root }}
- { name: TLS_CERT_FILE, value: /etc/company-activity/tls/tls.crt }
- { name: TLS_KEY_FILE, value: /etc/company-activity/tls/tls.key }
{{- if and (not .site) (ne $values.tls.clientCertificates "none") }}
- { name: TLS_CLIENT_CA_FILE, value: /etc/company-activity/tls/ca.crt }
- { name: TLS_CLIENT_AUTH, value: {{ $values.tls.clientCertificates }} }
{{- end }}
{{- end }}
{{- end -}}

{{/* What a caller of services shows them. Empty without authentication and TLS. */}}
{{- define "company-activity.environment.client" -}}
{{- if .Values.auth.enabled }}
- { name: TOKEN_FILE, value: /var/run/company-activity/token }
{{- end }}
{{- include "company-activity.environment.connection" . }}
{{- end -}}

{{/* How a caller of services connects to them, whoever it calls for. */}}
{{- define "company-activity.environment.connection" -}}
{{- if and .Values.auth.enabled (not (include "company-activity.tls" .)) }}
# Without TLS tokens travel in the clear, within the cluster. They are good for this release alone, and for an hour.
- { name: TOKEN_OVER_PLAIN_TEXT, value: "true" }
{{- end }}
{{- if include "company-activity.tls" . }}
- { name: TLS_CA_FILE, value: /etc/company-activity/tls/ca.crt }
{{- if ne .Values.tls.clientCertificates "none" }}
- { name: TLS_CLIENT_CERT_FILE, value: /etc/company-activity/tls/tls.crt }
- { name: TLS_CLIENT_KEY_FILE, value: /etc/company-activity/tls/tls.key }
{{- end }}
{{- end }}
{{- end -}}

{{/* The environment of activityctl that calls a service: (dict "root" $ "service" the called one). */}}
{{- define "company-activity.environment.call" -}}
- { name: ACTIVITY_SERVER, value: {{ include "company-activity.url" . | quote }} }
{{- include "company-activity.environment.client" .root }}
{{- end -}}
