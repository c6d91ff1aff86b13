# The same images that `make images` builds without a container engine: one static binary and the CA roots.
#
#   docker build --build-arg PROGRAM=proxy --tag dragoman-proxy:0.1.0 .
#   docker build --build-arg PROGRAM=operator --tag dragoman-operator:0.1.0 .
FROM rust:1.95-bookworm AS build
ARG PROGRAM=proxy
WORKDIR /src
COPY . .
RUN RUSTFLAGS="-Cprofile-use=/src/proxy/profile.profdata -Cllvm-args=-no-pgo-warn-mismatch" \
    cargo rustc --locked --release --package dragoman-${PROGRAM} --bin dragoman-${PROGRAM} -- -C target-feature=+crt-static \
 && mkdir -p /image/etc/ssl/certs /image/tmp \
 && cp target/release/dragoman-${PROGRAM} /image/program \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
 && echo 'nonroot:x:65532:65532::/:/sbin/nologin' > /image/etc/passwd

FROM scratch
COPY --from=build /image /
USER 65532:65532
ENTRYPOINT ["/program"]
