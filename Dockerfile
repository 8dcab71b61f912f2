# An image with nothing in it but Evenly.
#
#   docker build -t evenly .
#   docker run -p 8080:8080 -v ./applications.toml:/etc/evenly/applications.toml:ro evenly

FROM rust:1-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends make
WORKDIR /evenly
COPY Cargo.toml Cargo.lock Makefile ./
COPY src src
RUN make static && mv target/*/static/evenly /evenly/evenly

FROM scratch
COPY --from=build /evenly/evenly /evenly
WORKDIR /etc/evenly
USER 65534:65534
EXPOSE 8080
# The first one drains; it is also Docker's default.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/evenly"]
CMD ["serve"]
