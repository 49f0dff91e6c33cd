{{- define "enforcer.labels" -}}
app.kubernetes.io/name: enforcer
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "enforcer.selector" -}}
app.kubernetes.io/name: enforcer
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "enforcer.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "enforcer.settings" -}}
policies = ["/etc/enforcer/policies"]
cgroup-roots = {{ .Values.cgroupRoots | toJson }}
unknown = {{ .Values.unknown | quote }}
cri-socket = {{ .Values.criSocket | quote }}
events = {{ .Values.events | toJson }}
{{- with .Values.metrics }}
metrics = {{ . | quote }}
{{- end }}
{{- with .Values.extraSettings }}
{{ . }}
{{- end }}
{{- end }}
