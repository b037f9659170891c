# Two stages: build a static binary, and put nothing but it into the image.
FROM docker.io/library/golang:1.26 AS build
ARG VERSION=
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.released=${VERSION}" -o /out/davwopi ./cmd/davwopi \
 && mkdir -p /out/etc/ssl/certs /out/data /out/documents \
 && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
 && echo 'davwopi:x:65532:65532::/data:/' > /out/etc/passwd

FROM scratch
COPY --from=build /out/davwopi /davwopi
COPY --from=build /out/etc /etc
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build --chown=65532:65532 /out/documents /documents
# Nothing but the two volumes is written to: docker run --read-only --cap-drop ALL.
USER 65532:65532
ENV DAVWOPI_LISTEN=0.0.0.0:8880 DAVWOPI_INSECURE_HTTP=true DAVWOPI_STATE=/data DAVWOPI_DIR=/documents
VOLUME ["/data", "/documents"]
EXPOSE 8880
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/davwopi", "health"]
ENTRYPOINT ["/davwopi"]
CMD ["serve"]
