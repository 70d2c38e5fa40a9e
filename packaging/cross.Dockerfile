# The image that cross.toml builds in. Ubuntu 20.04: glibc 2.31 is old enough for boards of 2020,
# while its GCC 9 and binutils 2.34 are new enough for ring's assembler and for Rust's linking.
FROM ubuntu:20.04

# The C compiler and libc of one target, beside those that build scripts and macros need.
ARG PACKAGES=
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --assume-yes --no-install-recommends \
        ca-certificates gcc libc6-dev qemu-user-static $PACKAGES \
    && rm -rf /var/lib/apt/lists/*

ENV CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -L /usr/aarch64-linux-gnu" \
    CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc \
    CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER=arm-linux-gnueabihf-gcc \
    CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_RUNNER="qemu-arm-static -L /usr/arm-linux-gnueabihf" \
    CC_armv7_unknown_linux_gnueabihf=arm-linux-gnueabihf-gcc
