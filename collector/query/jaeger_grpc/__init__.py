"""gRPC on 16685: Jaeger's two query services, and Baton as the remote storage of a Jaeger in front."""
