# Spanmill in a container: listens on every interface, keeps its data on the volume /var/lib/spanmill.
#
#   docker build -t spanmill .
#   docker run -p 4317:4317 -p 4318:4318 -v spanmill:/var/lib/spanmill spanmill
#
# What was acknowledged and not yet delivered is on the volume too, in data/journal: without one it goes with the
# container. A directory of the host in its place must belong to user 10001. One container for each volume.
#
# Your own configuration: -v ./my.yaml:/etc/spanmill/config.yaml:ro

FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python -m venv /opt/spanmill \
 && /opt/spanmill/bin/pip install --no-cache-dir -c constraints.txt setuptools \
 && /opt/spanmill/bin/pip install --no-cache-dir -c constraints.txt --no-build-isolation . \
 && /opt/spanmill/bin/pip uninstall --yes setuptools

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/spanmill spanmill
COPY --from=build /opt/spanmill /opt/spanmill
COPY pipelines/gateway-to-parquet-and-prometheus.yaml /etc/spanmill/config.yaml
ENV SPANMILL_DATA=/var/lib/spanmill SPANMILL_HOST=0.0.0.0 PATH=/opt/spanmill/bin:$PATH
WORKDIR /var/lib/spanmill
VOLUME /var/lib/spanmill
USER 10001
EXPOSE 4317 4318 8888 8889 13133
# Docker sends SIGTERM to process 1, which is Spanmill itself: no shell stands between. It then delivers what it can
# within service.shutdown_timeout (30s); give it that long: docker stop --time 35. The rest waits on the volume.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["/opt/spanmill/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:13133/readyz', timeout=3)"]
ENTRYPOINT ["/opt/spanmill/bin/spanmill"]
CMD ["run", "--config", "/etc/spanmill/config.yaml"]
