# An image with nothing in it but Evenly, with TLS. Name `tls_ca` there: it trusts nobody by itself.
#
#   docker build -t evenly .
#   docker run -p 8080:8080 -v ./applications.toml:/etc/evenly/applications.toml:ro evenly

FROM rust:1-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends make musl-tools
WORKDIR /evenly
COPY . .
RUN make static-all && mv target/*/static/evenly /evenly/evenly

FROM scratch
COPY --from=build /evenly/evenly /evenly
WORKDIR /etc/evenly
USER 65534:65534
EXPOSE 8080
# The first one drains; it is also Docker's default.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/evenly"]
CMD ["serve"]
