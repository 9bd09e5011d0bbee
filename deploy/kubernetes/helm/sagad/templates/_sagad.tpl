{{/*
The saga sidecar in a pod of your own. With this chart among your dependencies, in the pod's spec:

    initContainers: {{- include "sagad.container" (dict "image" "registry.example/sagad:0.1.0") | nindent 8 }}
    volumes: {{- include "sagad.volumes" (dict "config" "sagad" "definitions" "saga-definitions" "tls" "sagad-tls") | nindent 8 }}

and in a StatefulSet's spec:

    volumeClaimTemplates: {{- include "sagad.claim" (dict "storage" "10Gi") | nindent 4 }}

With "emptyDir" true, sagad.volumes brings the journal's volume too, which goes with the pod. Your service mounts sagad-socket at /run/sagad,
and runs as the same user.
*/}}
{{- define "sagad.container" }}
- name: sagad
  image: {{ .image | quote }}
  restartPolicy: Always
  args: ["-f", /etc/sagad/sagad.yaml]
  ports:
    - {name: sagad-http, containerPort: 9464}
  securityContext:
    runAsNonRoot: true
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL]}
  resources:
    requests: {cpu: 50m, memory: 64Mi}
    limits: {memory: {{ .memory | default "1280Mi" }}}
  startupProbe:
    httpGet: {path: /readyz, port: sagad-http}
    periodSeconds: 1
    failureThreshold: 120
  readinessProbe:
    httpGet: {path: /readyz, port: sagad-http}
  livenessProbe:
    httpGet: {path: /livez, port: sagad-http}
  volumeMounts:
    - {name: sagad-journal, mountPath: /var/lib/sagad}
    - {name: sagad-socket, mountPath: /run/sagad}
    - {name: sagad-config, mountPath: /etc/sagad/sagad.yaml, subPath: sagad.yaml, readOnly: true}
    - {name: saga-definitions, mountPath: /etc/sagad/definitions, readOnly: true}
    - {name: sagad-tls, mountPath: /etc/sagad/tls, readOnly: true}
{{- end }}
{{- define "sagad.volumes" }}
- {name: sagad-socket, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
- {name: sagad-config, configMap: {name: {{ .config }}}}
- {name: saga-definitions, configMap: {name: {{ .definitions }}}}
- {name: sagad-tls, secret: {secretName: {{ .tls }}, defaultMode: 0440}}
{{- if .emptyDir }}
- {name: sagad-journal, emptyDir: {sizeLimit: 2Gi}}
{{- end }}
{{- end }}
{{- define "sagad.claim" }}
- metadata: {name: sagad-journal}
  spec:
    accessModes: [ReadWriteOncePod]
    resources: {requests: {storage: {{ .storage | default "10Gi" }}}}
{{- end }}
