#!/bin/sh
# Builds the Dockerfile for real, without a container engine: Debian's buildah with
# chroot isolation. Where the base image of the build stage is not there and cannot
# be fetched, one is assembled from this machine's Go and a static busybox, under
# the very name that the Dockerfile's FROM says.
set -eu
cd "$(dirname "$0")/../.."
export BUILDAH_ISOLATION=chroot
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
root="$work/storage"
run="$work/run"
b() { buildah --storage-driver vfs --root "$root" --runroot "$run" "$@"; }

base=$(sed -n 's/^FROM \([^ ]*\) AS build$/\1/p' Dockerfile)
c=$(b from scratch)
m=$(b mount "$c")
mkdir -p "$m/bin" "$m/usr/local" "$m/etc/ssl/certs" "$m/tmp" "$m/root" "$m/usr/bin"
cp "$(command -v busybox)" "$m/bin/busybox"
for tool in sh mkdir cp echo cat chown; do ln -s busybox "$m/bin/$tool"; done
cp -a "$(go env GOROOT)" "$m/usr/local/go"
cp -L /etc/ssl/certs/ca-certificates.crt "$m/etc/ssl/certs/"
echo 'root:x:0:0::/root:/bin/sh' > "$m/etc/passwd"
b umount "$c" >/dev/null
b config --env PATH=/usr/local/go/bin:/bin:/usr/bin --env GOPATH=/go --env GOTOOLCHAIN=local --env HOME=/root "$c"
b commit -q "$c" "$base" >/dev/null
b rm "$c" >/dev/null

go mod download
mkdir -p "$(go env GOCACHE)"
b build --pull=never --isolation chroot --format docker \
	--volume "$(go env GOMODCACHE):/go/pkg/mod:rw" \
	--volume "$(go env GOCACHE):/root/.cache/go-build:rw" \
	--env GOFLAGS=-mod=mod --env GOPROXY=off \
	-t davwopi .
c=$(b from --pull=never davwopi)
m=$(b mount "$c")
echo "files in the image:"
(cd "$m" && find . -type f | sort)
size=$(du -sk "$m" | cut -f1)
echo "size: $size KiB"
"$m/davwopi" version
b inspect --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}} {{.Docker.Config.Healthcheck}}' "$c"
[ "$(b inspect --format '{{.OCIv1.Config.User}}' "$c")" = 65532:65532 ]
b inspect --format '{{.Docker.Config.Healthcheck.Test}}' "$c" | grep -q health

# It runs as its user, in an empty root that cannot be written to but for the volumes, and says
# that it is well.
port=$((20000 + $$ % 20000))
chmod 755 "$work" "$m"
mkdir "$work/volumes" "$work/volumes/data" "$work/volumes/documents"
chown -R 65532:65532 "$work/volumes"
cat >"$work/start" <<'START'
set -eu
m=$1 volumes=$2 port=$3
mount --bind "$m" "$m"
mount --bind "$volumes/data" "$m/data"
mount --bind "$volumes/documents" "$m/documents"
mount -o remount,bind,ro "$m"
if touch "$m/written" 2>/dev/null; then echo "the root can be written to"; exit 1; fi
exec chroot --userspec=65532:65532 "$m" /davwopi serve -listen "127.0.0.1:$port" -state /data -dir /documents
START
unshare -m sh "$work/start" "$m" "$work/volumes" "$port" >"$work/log" 2>&1 &
pid=$!
ok=1
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	if DAVWOPI_LISTEN="127.0.0.1:$port" DAVWOPI_STATE=/data chroot --userspec=65532:65532 "$m" /davwopi health 2>/dev/null; then ok=0; break; fi
	sleep 0.5
done
cat "$work/log"
kill "$pid" 2>/dev/null || true
wait "$pid" 2>/dev/null || true
[ -f "$work/volumes/data/state.db" ] || { echo "the volumes were not used"; exit 1; }
grep -q root "$work/log" && { echo "it says that it is root"; exit 1; }
[ "$ok" = 0 ] || { echo "the image does not become healthy"; exit 1; }
echo "image built, healthy"
