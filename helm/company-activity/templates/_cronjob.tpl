{{/*
A CronJob and its account.

  root      $
  name      its component
  settings  its values: schedule, limits, resources
  command   the arguments of activityctl
  env       the environment, as YAML
  storage   whether it reaches object storage
*/}}
{{- define "company-activity.cronJob" -}}
{{- $root := .root -}}
{{- $settings := .settings -}}
{{- $identity := and .storage $root.Values.storage.azure.workloadIdentity.enabled -}}
{{- $volumes := include "company-activity.volumes" (dict "root" $root "service" .name "storage" .storage) | fromYaml -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ include "company-activity.fullname" $root }}-{{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "company-activity.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
spec:
  schedule: {{ $settings.schedule | quote }}
  timeZone: {{ $settings.timeZone }}
  suspend: {{ $settings.suspend }}
  # Not a lock: Kubernetes may start a Job twice or not at all. Each of the commands is safe to run twice, even concurrently.
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: {{ $settings.startingDeadlineSeconds | int }}
  successfulJobsHistoryLimit: {{ $settings.successfulJobsHistoryLimit }}
  failedJobsHistoryLimit: {{ $settings.failedJobsHistoryLimit }}
  jobTemplate:
    metadata:
      labels:
        {{- include "company-activity.podLabels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .name }}
    spec:
      backoffLimit: {{ $settings.backoffLimit }}
      activeDeadlineSeconds: {{ $settings.activeDeadlineSeconds | int }}
      ttlSecondsAfterFinished: {{ $settings.ttlSecondsAfterFinished | int }}
      template:
        metadata:
          labels:
            {{- include "company-activity.podLabels" $root | nindent 12 }}
            app.kubernetes.io/component: {{ .name }}
            {{- if $identity }}
            azure.workload.identity/use: "true"
            {{- end }}
        spec:
          serviceAccountName: {{ include "company-activity.fullname" $root }}-{{ .name }}
          {{- include "company-activity.podSecurity" $root | nindent 10 }}
          # Restart in place: a new pod has a new address, which a network plugin needs a moment to allow.
          restartPolicy: OnFailure
          containers:
            - name: {{ .name }}
              image: {{ include "company-activity.image" $root }}
              imagePullPolicy: {{ $root.Values.image.pullPolicy }}
              command: [/usr/local/bin/activityctl, {{ .command }}]
              # Copies the reason for a failure to the pod's status.
              terminationMessagePolicy: FallbackToLogsOnError
              {{- include "company-activity.containerSecurity" $root | nindent 14 }}
              env:
                {{- .env | nindent 16 }}
              resources:
                {{- toYaml $settings.resources | nindent 16 }}
              {{- with $volumes.mounts }}
              volumeMounts:
                {{- toYaml . | nindent 16 }}
              {{- end }}
          {{- with $volumes.volumes }}
          volumes:
            {{- toYaml . | nindent 12 }}
          {{- end }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "company-activity.fullname" $root }}-{{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "company-activity.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
  {{- if $identity }}
  annotations:
    azure.workload.identity/client-id: {{ $root.Values.storage.azure.workloadIdentity.clientId }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
