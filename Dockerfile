# Kiln from Debian's packages: `docker build -t kiln .`, then `docker run --rm -v "$PWD:/models" kiln bench --onnx=/models/m.onnx`.
FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates make git
COPY . /src
WORKDIR /src
RUN make package

FROM debian:12-slim
COPY --from=build /src/build/release/packages/*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends /tmp/*.deb && rm -rf /tmp/*.deb /var/lib/apt/lists/*
ENTRYPOINT ["kiln"]
