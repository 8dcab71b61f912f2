# An image with nothing in it but Evenly, with all that it can do: 4 MB, no shell, no files of a system.
#
#   docker build -t evenly .
#   docker run -p 8080:8080 -v ./applications.toml:/etc/evenly/applications.toml:ro evenly
#
# docs/container.md has the rest: what 127.0.0.1 is in there, reloads, read-only, Compose, Kubernetes.

FROM rust:1-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends make musl-tools
WORKDIR /evenly
COPY . .
RUN make image-rootfs

FROM scratch
COPY --from=build /evenly/target/image/rootfs/ /
# ./applications.toml is read here, and by the commands too: `docker exec NAME /evenly status`.
WORKDIR /etc/evenly
# nobody's number: there is no /etc/passwd in which a name could be looked up.
USER 65534:65534
EXPOSE 8080
# The first one drains. It stands here in case that the image is built on another one some day.
STOPSIGNAL SIGTERM
# A start may take 13 s, for names and first checks; the answer to this never more than 2 s.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 CMD ["/evenly", "healthcheck"]
ENTRYPOINT ["/evenly"]
CMD ["serve"]
