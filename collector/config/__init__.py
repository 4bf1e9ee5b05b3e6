"""What users write: `otel-config.yaml`, in the OpenTelemetry Collector's style."""
