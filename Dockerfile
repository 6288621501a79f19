# syntax=docker/dockerfile:1
#
# The `modeldepot` command as a small image: no shell, no package manager, not root.
#
#   docker build -t modeldepot .
#   docker run --rm modeldepot --help
#   docker run --rm -p 127.0.0.1:9001:9001 -v depot:/data -v ./tokens.json:/tokens.json:ro \
#     -e S3_ENDPOINT=https://s3.example.com -e AWS_ACCESS_KEY_ID -e AWS_SECRET_ACCESS_KEY \
#     modeldepot serve --listen 0.0.0.0:9001 --tokens /tokens.json

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# The caches stay between builds and never reach the image. `target` is one of them, so the command is copied out of it.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked --package modeldepot-cli --features oidc \
    && cp target/dist/modeldepot /modeldepot \
    && mkdir /data

# One static program for the health check.
FROM busybox:1.37.0-musl AS probe

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /modeldepot /usr/local/bin/modeldepot
COPY --from=probe /bin/busybox /usr/local/bin/wget
# The folder, and a volume created from it, belong to the user `nonroot`.
COPY --from=build --chown=65532:65532 /data /data

USER 65532:65532
WORKDIR /data
VOLUME /data
# S3 of `modeldepot up`, and the console of `up` and `serve`.
EXPOSE 9000 9001
# Both `up` and `serve` answer on this port. With TLS, another port or another verb, use `--health-cmd` or `--no-healthcheck`.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9001/healthz"]
ENTRYPOINT ["/usr/local/bin/modeldepot"]
# By default only processes in the container can connect. To accept connections from outside, listen on 0.0.0.0 and require
# credentials: see docs/security.md.
CMD ["up", "--data", "/data"]
