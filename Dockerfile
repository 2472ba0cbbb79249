# duet's two programs on Debian 12. (Kept simple: not part of the tests, which need no container.)
#   docker build -t duet .
#   docker run --rm -v "$PWD:/data" duet search "a red heart" -b runs/quickstart/index
FROM debian:12-slim AS build
WORKDIR /duet
COPY scripts/setup.sh scripts/
RUN scripts/setup.sh
COPY . .
RUN scripts/build.sh duet duet-engine && cmake --install build/release --prefix /opt/duet --component programs --strip

# The programs find LibTorch where the build found it.
FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends libopencv-imgcodecs406 libopencv-imgproc406 libgomp1 \
      libopenblas0-openmp libsentencepiece0 libspdlog1.10 libsqlite3-0 libutf8proc2 libxxhash0 libtomlplusplus3 \
      libjpeg62-turbo \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/duet /opt/duet
COPY --from=build /duet/.venv/lib/python3.11/site-packages/torch/lib /duet/.venv/lib/python3.11/site-packages/torch/lib
ENV PATH=/opt/duet/bin:$PATH
WORKDIR /data
ENTRYPOINT ["duet"]
