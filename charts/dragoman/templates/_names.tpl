{{- define "dragoman.labels" -}}
app.kubernetes.io/name: dragoman-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: dragoman
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "dragoman.selector" -}}
app.kubernetes.io/name: dragoman-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dragoman.logbook.labels" -}}
{{ include "dragoman.logbook.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: dragoman
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "dragoman.logbook.selector" -}}
app.kubernetes.io/name: dragoman-logbook
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* An image's reference from {image, appVersion}. */}}
{{- define "dragoman.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .appVersion }}
{{- end -}}
{{- end }}
