# The program on Debian, as a user without rights. A GPU is used through the host's driver: docker run --gpus all.
#
#   docker build -t avssnative .
#   docker run --rm avssnative run
#   docker run --rm -v "$PWD:/work" avssnative run --model M.gguf --drop 25% --calib text.txt --out small.gguf
FROM golang:1.26-bookworm AS build
WORKDIR /source
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go build -o /avssnative ./cmd/avssnative

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 65532 --create-home --shell /usr/sbin/nologin avssnative && install -d -o avssnative /work
COPY --from=build /avssnative /usr/local/bin/avssnative
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 65532
WORKDIR /work
ENTRYPOINT ["/usr/local/bin/avssnative"]
