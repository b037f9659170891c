#!/bin/sh
# Builds davwopi for every system into the folder that is named, with SHA-256 checksums and an
# SBOM (CycloneDX) for each program. The same commit and the same Go give the same bytes: the
# script builds from a clone of its own, of what is committed, and takes all times from the commit.
set -eu
out=${1:?wants a folder}
root=$(cd "$(dirname "$0")/../.." && pwd)
case $out in /*) ;; *) out="$root/$out" ;; esac
sbom=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
if [ -n "${RELEASE_GO:-}" ]; then
	GOTOOLCHAIN=$RELEASE_GO go version >/dev/null 2>&1 || { echo "release: $RELEASE_GO cannot be had" >&2; exit 1; }
	export GOTOOLCHAIN="$RELEASE_GO"
fi
export CGO_ENABLED=0 GOFLAGS=-mod=readonly LC_ALL=C
version=$(git -C "$root" describe --tags --always --abbrev=12)
epoch=$(git -C "$root" log -1 --format=%ct)

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT INT TERM
git clone -q "$root" "$work/davwopi"
(cd "$work/davwopi" && git checkout -q "$(git -C "$root" rev-parse HEAD)")
GOBIN="$work/bin" GOFLAGS= go install "$sbom"
mkdir -p "$out"
rm -f "$out"/davwopi-* "$out"/SHA256SUMS

for system in linux/amd64 linux/arm64 linux/arm/7 darwin/amd64 darwin/arm64 windows/amd64; do
	GOOS=$(echo "$system" | cut -d/ -f1)
	GOARCH=$(echo "$system" | cut -d/ -f2)
	GOARM=$(echo "$system" | cut -d/ -f3)
	export GOOS GOARCH GOARM
	name="davwopi-$version-$GOOS-$GOARCH${GOARM:+v$GOARM}"
	program="$out/$name"
	[ "$GOOS" != windows ] || program="$program.exe"
	[ -n "$GOARM" ] || unset GOARM
	(cd "$work/davwopi" && go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.released=$version" -o "$program" ./cmd/davwopi)
	# The SBOM is of the program, not of the sources: what is linked into it, and nothing else.
	(unset GOOS GOARCH GOARM; "$work/bin/cyclonedx-gomod" bin -json -std -noserial -version "$version" -output "$work/sbom.json" "$program")
	# Its time is that of the commit, and it names the program, not where it lay.
	sed -e "s/\"timestamp\": \"[^\"]*\"/\"timestamp\": \"$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)\"/" -e "s#$out/##g" "$work/sbom.json" > "$out/$name.cdx.json"
done
unset GOOS GOARCH GOARM
(cd "$out" && sha256sum davwopi-* > SHA256SUMS)
echo "release $version, $(go version | cut -d' ' -f3):"
cat "$out/SHA256SUMS"
