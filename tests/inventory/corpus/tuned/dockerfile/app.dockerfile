FROM golang:1.22 AS build
RUN go build -ldflags "-X main.version=1.3000" -o /app
FROM scratch
COPY --from=build /app /app
EXPOSE 9000-9002
USER 65532:65532
ENTRYPOINT ["/app", "-addr=:9000", "-timeout=3000"]
