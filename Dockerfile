# docker build -t sct . && docker run --rm -v "$PWD:/data" -w /data sct run model=light_unet loss=mix
# Research software, not a medical device.
FROM python:3.12-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make libegl1 libegl-mesa0 libgl1-mesa-dri libgl1 libxrender1 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/sct
COPY . .
RUN make setup
ENTRYPOINT ["/opt/sct/.venv/bin/sct"]
CMD ["--help"]
