# Baton as a container: everything from the hashed lock file, no compiler, no root.
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/baton \
    && /opt/baton/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY storage storage
COPY exporters exporters
COPY collector collector
RUN /opt/baton/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin baton \
    && install -d -o baton -g baton /var/lib/baton
COPY --from=build /opt/baton /opt/baton
COPY docker/otel-config.yaml /etc/baton/otel-config.yaml
USER 10001
VOLUME /var/lib/baton
EXPOSE 4317 4318 16685 16686
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/opt/baton/bin/python", "-c", "from urllib.request import urlopen; urlopen('http://localhost:16686/health/ready', timeout=4)"]
ENTRYPOINT ["/opt/baton/bin/baton"]
CMD ["serve", "--config", "/etc/baton/otel-config.yaml", "--data-dir", "/var/lib/baton", "--log-format", "json"]
